"""Progress on standard error: a bar in a terminal; in a file or a pipe, a line now and then."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Self, TypeVar

from tqdm import tqdm

SECONDS_BETWEEN_LINES = 10.0

_LINE = "{desc}: {n_fmt}{unit} [{elapsed}, {rate_noinv_fmt}{postfix}]"
_LINE_OF_TOTAL = (
    "{desc}: {percentage:3.0f}% {n_fmt}/{total_fmt} "
    "[{elapsed}<{remaining}, {rate_noinv_fmt}{postfix}]"
)

Item = TypeVar("Item")


class ProgressDisplay:
    """Shows how much of something is done, at what rate, and how long the rest will take.

    `unit` is what is counted, in the plural; with `bytes`, large numbers are shortened. `total` may
    become known later; what never had one leaves nothing behind. To be used from one thread.
    """

    def __init__(
        self, description: str, *, unit: str, total: float | None = None, done: float = 0
    ) -> None:
        # A run may silence standard error meanwhile, for libraries that print to it.
        self._stream = sys.stderr
        self._unit, self._figures = unit, ""
        self._last_shown: float | None = None
        self._bar: tqdm | None = None
        self._start(description, total, done)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def update(self, more: float = 1, figures: str = "") -> None:
        """Counts `more` as done; from now on, `figures` are shown behind it."""
        self.done += more
        self._figures = figures or self._figures
        if self._bar is not None:
            if figures:
                self._bar.set_postfix_str(figures, refresh=False)
            self._bar.update(more)
        self._show_line_if_due()

    def begin(
        self, description: str, total: float, *, unit: str | None = None, done: float = 0
    ) -> None:
        """Says what is being done from now on, how much of it there is, and was done before.

        Time and rate count from here. The unit stays unless there is another.
        """
        self._unit = unit or self._unit
        if self._bar is not None:
            self._bar.leave = False
            self._bar.close()
        self._start(description, total, done)

    def refresh(self) -> None:
        """Shows how much time has gone by, though nothing more is done."""
        if self._bar is not None:
            self._bar.refresh()
        self._show_line_if_due()

    def close(self) -> None:
        if self._bar is not None:
            self._bar.leave = self._total is not None
            self._bar.close()
        elif self._total is not None and self._last_shown != self.done:
            self._show_line()

    def _start(self, description: str, total: float | None, done: float) -> None:
        self.done = self._first = done
        self._description, self._total = description, total
        self._started = self._shown = time.monotonic()
        if self._stream.isatty():
            self._bar = tqdm(
                desc=description,
                total=total,
                initial=done,
                dynamic_ncols=True,
                file=self._stream,
                **_style(self._unit),
            )

    def _show_line_if_due(self) -> None:
        if self._bar is None and time.monotonic() - self._shown >= SECONDS_BETWEEN_LINES:
            self._show_line()

    def _show_line(self) -> None:
        self._shown, self._last_shown = time.monotonic(), self.done
        line = tqdm.format_meter(
            self.done,
            self._total,
            self._shown - self._started,
            bar_format=_LINE if self._total is None else _LINE_OF_TOTAL,
            prefix=self._description,
            postfix=self._figures or None,
            initial=self._first,
            **_style(self._unit),
        )
        with contextlib.suppress(OSError):  # Nobody may be listening.
            print(line, file=self._stream, flush=True)


def each(items: Iterable[Item], description: str, *, unit: str, total: int) -> Iterator[Item]:
    """The items, while showing how many have been gone through."""
    with ProgressDisplay(description, unit=unit, total=total) as progress:
        for item in items:
            yield item
            progress.update()


def _style(unit: str) -> dict[str, object]:
    return {"unit": "B", "unit_scale": True} if unit == "bytes" else {"unit": f" {unit}"}
