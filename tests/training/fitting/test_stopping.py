from __future__ import annotations

import os
import signal

import pytest

from training.fitting.stopping import no_longer_improves, stop_signals


@pytest.mark.parametrize(
    ("bits", "patience", "stops"),
    [
        ((), 1, False),
        ((4.0,), 1, False),
        ((4.0, 4.0), 1, True),
        ((4.0, 3.9), 1, False),
        ((4.0, 5.0), 2, False),
        ((4.0, 5.0, 4.5), 2, True),
        ((5.0, 4.0, 4.5, 3.9), 2, False),
        ((4.0, 5.0, 5.0, 5.0), None, False),
    ],
)
def test_patience_counts_validations_that_are_no_better(
    bits: tuple[float, ...], patience: int | None, stops: bool
) -> None:
    assert no_longer_improves(list(enumerate(bits)), patience) is stops


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_asks_for_a_stop_and_the_next_acts_as_usual(number: signal.Signals) -> None:
    usual = signal.getsignal(number)
    with stop_signals() as stop:
        assert not stop.is_set()
        os.kill(os.getpid(), number)
        assert stop.is_set()
        assert signal.getsignal(number) is usual
    with stop_signals():
        assert signal.getsignal(number) is not usual
    assert signal.getsignal(number) is usual
