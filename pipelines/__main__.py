from musicnet_duet.process import run_process
from pipelines.cli import main

run_process(main)
