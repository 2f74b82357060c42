from musicnet_duet.process import run_process
from training.cli import main

run_process(main)
