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
from typing import Any, NoReturn

from schemas.errors import DuetError, system_cause

_MOMENT = 0.05
"""Seconds."""

BROKEN_PIPE = 141
"""The exit status of a process that wrote to a pipe without a reader, as shells have it."""


class _Ending:
    """Ends the process at once, with a status that is known by then."""

    def __init__(self) -> None:
        self.status = 1

    def __call__(self) -> None:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.flush()
        os._exit(self.status)


def run_process(main: Callable[[], int]) -> NoReturn:
    """Runs `main` as the whole of this process, which ends with the status that `main` returns.

    After whatever else was registered with `atexit`, the process ends at once: libraries such as
    gRPC leave threads behind that abort an orderly end of the interpreter.
    """
    sys.unraisablehook = _interrupt_again
    ending = _Ending()
    atexit.register(ending)  # Handlers run in reverse, so the first one to be registered is last.
    try:
        ending.status = main()
    except SystemExit as error:
        ending.status = error.code if isinstance(error.code, int) else int(error.code is not None)
    sys.exit(ending.status)


def _interrupt_again(unraisable: Any) -> None:
    """Lets Ctrl-C act a moment later where it met code that cannot raise, and so was lost.

    The interpreter calls that code itself: when it collects garbage, or at the end of an import.
    """
    if unraisable.exc_type is KeyboardInterrupt:
        timer = threading.Timer(_MOMENT, os.kill, (os.getpid(), signal.SIGINT))
        timer.daemon = True
        timer.start()
    else:
        sys.__unraisablehook__(unraisable)


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
