import os
import sys

from pipelines.cli import main

status = main()
sys.stdout.flush()
sys.stderr.flush()
# Beam and gRPC leave threads behind that abort, or hold up, an orderly end of the interpreter.
os._exit(status)
