import atexit
import os
import sys

from pipelines.cli import main

status = main()
sys.stdout.flush()
sys.stderr.flush()
# Beam and gRPC leave threads behind that abort, or hold up, an orderly end of the interpreter. What
# is to be done at its end, such as stopping the server of workers or Prism, is done all the same.
atexit._run_exitfuncs()
os._exit(status)
