"""How a command treats its process: what it prints to, and how it ends."""

from __future__ import annotations

import atexit
import contextlib
import io
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import NoReturn

from schemas.errors import DuetError, system_cause

INTERRUPTED = 130
"""The exit status of a process that Ctrl-C ended, as shells have it."""

BROKEN_PIPE = 141
"""The exit status of a process that wrote to a pipe without a reader, as shells have it."""

_PATIENCE = 5.0
"""Seconds for which the end of a process waits for threads."""


class _Ending:
    """Ends the process at once, with a status that is known by then."""

    def __init__(self) -> None:
        self.status = 1

    def __call__(self, *_: object) -> None:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.flush()
        os._exit(self.status)


def run_process(main: Callable[[], int]) -> NoReturn:
    """Runs `main` as the whole of this process, which ends with the status that `main` returns.

    After whatever else was registered with `atexit`, the process ends at once: libraries such as
    gRPC leave threads behind that abort an orderly end of the interpreter. Before that, the
    interpreter waits for threads that are not daemons. Some never end, such as one of Beam's where
    Ctrl-C meets its beginning; after a few seconds, the process ends without them, and without what
    was registered. Ctrl-C ends it at once after `main` has ended.
    """
    ending = _Ending()
    atexit.register(ending)  # Handlers run in reverse, so the first one to be registered is last.
    try:
        ending.status = main()
    except SystemExit as error:
        ending.status = error.code if isinstance(error.code, int) else int(error.code is not None)
    except KeyboardInterrupt:
        ending.status = INTERRUPTED
        _end_on_interrupt(ending)
        print_message("\ninterrupted")
    except BaseException:
        sys.excepthook(*sys.exc_info())
    _end_on_interrupt(ending)
    _limit_wait_for_threads(ending)
    sys.exit(ending.status)


def _end_on_interrupt(ending: _Ending) -> None:
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, ending)


def _limit_wait_for_threads(ending: _Ending) -> None:
    timer = threading.Timer(_PATIENCE, ending)
    timer.daemon = True
    with contextlib.suppress(RuntimeError):  # No thread can be started.
        timer.start()
        atexit.register(timer.cancel)  # Called when the wait is over, and before all others.


def prepare_streams() -> None:
    """Makes standard output and error take any text, and be there.

    Characters that a terminal's encoding lacks are escaped. A closed stream is replaced, so that no
    file that is opened later gets its number, and with it what libraries print.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # Takes the lowest number that is free.
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", closefd=False)  # print() would use standard output.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def print_result(text: str) -> bool:
    """Prints to standard output; False when its reader has seen enough, such as `head`.

    Raises `DuetError` where standard output is closed or cannot be written, such as to a full disk.
    """
    if sys.stdout is None:
        raise DuetError("standard output is closed, so the result cannot be printed")
    try:
        print(text, flush=True)
    except BrokenPipeError:
        _discard_output()
        return False
    except OSError as error:
        _discard_output()
        raise DuetError(f"standard output: cannot be written: {system_cause(error)}") from error
    return True


def print_message(text: str) -> None:
    """Prints to standard error, if anybody listens."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def _discard_output() -> None:
    """What is still to be flushed goes nowhere."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, sys.stdout.fileno())
    os.close(nothing)
