import os
import sys

from pipelines.cli import main
from pipelines.worker_processes import forget_workers

status = main()
sys.stdout.flush()
sys.stderr.flush()
# Beam and gRPC leave threads behind that abort, or hold up, an orderly end of the interpreter.
forget_workers()
os._exit(status)
