from musicnet_duet.cli import run

run()
