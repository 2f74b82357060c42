import contextlib
import io
import itertools
import os
import re
from collections.abc import Callable

import pytest

from musicnet_duet.progress import ProgressDisplay, each


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


Written = Callable[[], str]


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Written:
    """What standard error, a file, was given; a clock goes on by a second at each look."""
    ticks = itertools.count()
    monkeypatch.setattr("musicnet_duet.progress.time.monotonic", lambda: float(next(ticks)))
    return lambda: capsys.readouterr().err


def test_a_file_gets_a_line_every_ten_seconds_and_a_last_one(written: Written) -> None:
    with ProgressDisplay("training", unit="steps", total=60, done=30) as display:
        for _ in range(30):
            display.update(figures="bits/dim=1.500")
    text = written()
    lines = text.splitlines()
    assert "\r" not in text
    assert 3 <= len(lines) <= 4
    assert re.fullmatch(r"training:  \d\d% \d\d/60 \[.*steps/s, bits/dim=1.500\]", lines[0])
    assert re.fullmatch(r"training: 100% 60/60 \[.*\]", lines[-1])


def test_the_total_may_come_later(written: Written) -> None:
    display = ProgressDisplay("listing", unit="windows")
    for _ in range(12):
        display.refresh()
    assert re.fullmatch(r"listing: 0 windows \[.*\]\n", written())
    display.begin("writing shards", total=4)
    display.update(4)
    display.close()
    assert "writing shards: 100% 4/4" in written().splitlines()[-1]


def test_what_never_had_a_total_leaves_nothing_behind(written: Written) -> None:
    ProgressDisplay("listing", unit="windows").close()
    assert written() == ""


def test_bytes_are_shortened(written: Written) -> None:
    with ProgressDisplay("verifying", unit="bytes", total=2e9) as display:
        display.update(2e9)
    assert written().startswith("verifying: 100% 2.00G/2.00G [")


def test_items_are_handed_on_and_counted(written: Written) -> None:
    assert list(each("abc", "inspecting", unit="recordings", total=3)) == ["a", "b", "c"]
    assert "inspecting: 100% 3/3" in written()


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with ProgressDisplay("writing shards", unit="windows", total=2) as display:
        display.update(2, figures="x=1")
    assert "\rwriting shards: 100%|" in terminal.getvalue()
    assert terminal.getvalue().endswith("\n")


def test_a_bar_gives_way_to_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with ProgressDisplay("listing", unit="windows") as display:
        display.begin("writing shards", 8, done=5)
        display.update(3)
    assert terminal.getvalue().count("\n") == 1, "the first bar is wiped out"
    shown = [each for each in terminal.getvalue().split("\r") if "writing" in each]
    assert " 5/8 [00:00<?, ? windows/s]" in shown[0]
    assert shown[-1].startswith("writing shards: 100%|")


def test_nobody_has_to_listen(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr("sys.stderr", Broken())
    with ProgressDisplay("writing shards", unit="windows", total=2) as display:
        display.update(2)


def test_lines_are_shown_while_standard_error_is_silenced(written: Written) -> None:
    """As it is while Beam runs, which prints the traceback of every error."""
    with ProgressDisplay("writing", unit="windows", total=100) as display:
        with open(os.devnull, "w") as nothing, contextlib.redirect_stderr(nothing):
            for _ in range(40):
                display.refresh()
        assert written().count("writing:   0% 0/100 [") >= 3
