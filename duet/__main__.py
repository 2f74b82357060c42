from duet.cli import run

run()
