"""Ctrl-C for the time in which a command runs: it is not lost, whatever meets it."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import weakref
from collections.abc import Iterator
from types import FrameType
from typing import Any

_MOMENT = 0.05
"""Seconds from the loss of an interrupt to the next one."""


class Interrupt(KeyboardInterrupt):
    """Ctrl-C. Unlike those of its base class, its instances take weak references."""


@contextlib.contextmanager
def lasting_interrupts() -> Iterator[None]:
    """Lets Ctrl-C end the block even where a `KeyboardInterrupt` is lost.

    Python raises it once. It is lost in what the interpreter calls by itself, such as finalizers,
    and in code that handles every exception; many a library does so while it is imported. Here, it
    is raised again a moment after nothing refers to it any longer, so never while it is on its way
    and the block cleans up. Whatever else the block raises after Ctrl-C, such as an error that a
    library made of it, is raised as a `KeyboardInterrupt`. A block that comes to its end first
    keeps its result.

    Does nothing outside the main thread, and where Ctrl-C is ignored or has another handler.

    Example:
        with lasting_interrupts():
            outcome = command.run(options)
    """
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    interrupts = _Interrupts()
    with interrupts.handled():
        try:
            yield
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:
            if interrupts.asked:
                raise KeyboardInterrupt from error
            raise


class _Interrupts:
    """The handler of SIGINT; it follows what it raised."""

    def __init__(self) -> None:
        self.asked = False
        self._is_over = False
        self._is_repeated = False
        self._followed: weakref.ref[Interrupt] | None = None
        self._timers: list[threading.Timer] = []
        self._main_thread = threading.get_ident()
        self._usual_hook = sys.unraisablehook

    @contextlib.contextmanager
    def handled(self) -> Iterator[None]:
        """Handles Ctrl-C during the block."""
        try:
            sys.unraisablehook = self._show
            signal.signal(signal.SIGINT, self._handle)
            yield
        finally:
            self._is_over = True
            for timer in self._timers:
                timer.cancel()
                timer.join()
            sys.unraisablehook = self._usual_hook
            if signal.getsignal(signal.SIGINT) == self._handle:
                signal.signal(signal.SIGINT, signal.default_int_handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        is_repeated, self._is_repeated = self._is_repeated, False
        if is_repeated and self._is_over:
            return
        self.asked = True
        raise self._new_interrupt()  # A variable of this frame, which it refers to, would keep it.

    def _new_interrupt(self) -> Interrupt:
        interrupt = Interrupt()
        self._followed = weakref.ref(interrupt, self._when_lost)
        return interrupt

    def _when_lost(self, followed: weakref.ref[Interrupt]) -> None:
        """Called where the last reference goes. Nothing can be raised there."""
        if self._is_over:
            return
        timer = threading.Timer(_MOMENT, self._repeat)
        timer.daemon = True
        with contextlib.suppress(RuntimeError):  # No thread can be started.
            timer.start()
            self._timers = [*filter(threading.Thread.is_alive, self._timers), timer]

    def _repeat(self) -> None:
        if not self._is_over and self._followed and self._followed() is None:
            self._is_repeated = True
            signal.pthread_kill(self._main_thread, signal.SIGINT)

    def _show(self, unraisable: Any) -> None:
        """Shows what cannot be raised where it happens. An interrupt will be raised elsewhere."""
        if not issubclass(unraisable.exc_type, KeyboardInterrupt):
            self._usual_hook(unraisable)
