import argparse
import contextlib
import dataclasses
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from musicnet_duet.command import Command, CommandParser, Outcome, Program, split_at_dashes
from schemas.errors import DuetError

ROOT = Path(__file__).parents[2]


@dataclasses.dataclass(frozen=True)
class Counted:
    name: str
    numbers: tuple[int, ...]


def add_options(parser: CommandParser) -> None:
    parser.add_argument("--number", "--count", type=int)
    parser.add_one_of(("--left", {"action": "store_true"}), ("--right", {"action": "store_true"}))
    parser.add_argument("names", nargs="*")


def program(run: Callable[[argparse.Namespace], Outcome]) -> Program:
    def command(name: str, after_dashes: str | None = None) -> Command:
        return Command(
            name=name,
            text=f"Does {name}.",
            extra="counting",
            add_options=add_options,
            run=run,
            advice=lambda options: f"; {len(options.names)} names are left",
            after_dashes=after_dashes,
        )

    return Program("prog", "Counts.", (command("count"), command("beam", after_dashes="Beam")))


def failing(error: BaseException) -> Program:
    def run(options: argparse.Namespace) -> Outcome:
        raise error

    return program(run)


COUNTING = program(
    lambda options: Outcome(Counted("Dvořák", (1, 2)), f"Dvořák {options.after_dashes}")
)


def said(capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    captured = capsys.readouterr()
    return captured.out, captured.err


def test_a_result_is_printed_for_people_or_as_ascii_json(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert COUNTING.main(["count"]) == 0
    assert said(capsys) == ("Dvořák ()\n", "")
    assert COUNTING.main(["count", "--json"]) == 0
    out, _ = said(capsys)
    assert out.isascii()
    assert json.loads(out) == {"name": "Dvořák", "numbers": [1, 2]}


def test_a_status_and_a_note_are_handed_on(capsys: pytest.CaptureFixture[str]) -> None:
    stopped = program(lambda options: Outcome({}, "half", status=130, note="the rest is for later"))
    assert stopped.main(["count"]) == 130
    assert said(capsys) == ("half\n", "the rest is for later\n")


def test_options_after_two_dashes_are_for_one_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert split_at_dashes(["a", "--b", "--", "--c", "--"]) == (["a", "--b"], ["--c", "--"])
    assert split_at_dashes(["a"]) == (["a"], [])
    assert COUNTING.main(["beam", "--", "--job=1", "--"]) == 0
    assert said(capsys)[0] == "Dvořák ('--job=1', '--')\n"
    assert COUNTING.main(["count", "--", "--job=1"]) == 2
    assert said(capsys)[1] == "error: count takes no options after '--'; only beam does\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cuont"], "unknown command 'cuont'; did you mean count?"),
        (["frobnicate"], "unknown command 'frobnicate'; the commands are count, beam"),
        (["count", "--numbre", "3"], "unknown option --numbre; did you mean --number?"),
        (["count", "--numbre=3"], "unknown option --numbre; did you mean --number?"),
        (["count", "--rihgt"], "unknown option --rihgt; did you mean --right?"),
        (["count", "--num", "3"], "unknown option --num; did you mean --number?"),
        (["count", "--zzz"], "unknown option --zzz; see prog count --help"),
        (["--vresion"], "unknown option --vresion; did you mean --version?"),
        (["--debug", "count"], "--debug goes after the command: prog COMMAND --debug"),
        (["count", "--number", "x"], "--number: invalid int value: 'x'"),
        (["count", "--left", "--right"], "--right: not allowed with argument --left"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_status_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert COUNTING.main(arguments) == 2
    assert said(capsys) == ("", f"error: {message}\n")


def test_values_that_look_like_options_are_left_to_argparse(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert COUNTING.main(["count", "--number", "-3", "-", "-x y"]) == 0
    assert said(capsys)[1] == ""


def test_without_a_command_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert COUNTING.main([]) == 2
    out, err = said(capsys)
    assert out == ""
    assert err.startswith("usage: prog")
    assert "Does count." in err


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (DuetError("x.wav: is not a WAV file"), 1, "x.wav: is not a WAV file"),
        (
            DuetError("two recordings:\n  1: bad\n  2: bad"),
            1,
            "two recordings:\n  1: bad\n  2: bad",
        ),
        (
            ModuleNotFoundError("No module named 'tensorflow'", name="tensorflow.keras"),
            1,
            "count needs tensorflow, which is not installed; in the project's folder, run: "
            "pip install '.[counting]'",
        ),
        (
            ImportError("libcuda.so.1: cannot open\n\nshared object", name="tensorflow"),
            1,
            "count cannot import tensorflow: libcuda.so.1: cannot open shared object; in the "
            "project's folder, run: pip install '.[counting]'",
        ),
        (
            ImportError("libcuda.so.1: cannot open shared object"),
            1,
            "count cannot import a module: libcuda.so.1: cannot open shared object; in the "
            "project's folder, run: pip install '.[counting]'",
        ),
        (MemoryError(), 1, "the machine does not have enough memory for this"),
        (
            ModuleNotFoundError("No module named 'pipelines.x'", name="pipelines.x"),
            70,
            "this is a bug in musicnet-duet: ModuleNotFoundError: No module named 'pipelines.x'; "
            "run again with --debug for the traceback, and please report it",
        ),
        (
            ValueError("two\nlines"),
            70,
            "this is a bug in musicnet-duet: ValueError: two lines; "
            "run again with --debug for the traceback, and please report it",
        ),
        (
            FileNotFoundError(2, "No such file", "x"),
            70,
            "this is a bug in musicnet-duet: FileNotFoundError: [Errno 2] No such file: 'x'; "
            "run again with --debug for the traceback, and please report it",
        ),
        (
            BrokenPipeError(32, "Broken pipe"),
            70,
            "this is a bug in musicnet-duet: BrokenPipeError: [Errno 32] Broken pipe; "
            "run again with --debug for the traceback, and please report it",
        ),
    ],
)
def test_an_error_is_the_users_or_ours(
    error: Exception, status: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert failing(error).main(["count"]) == status
    assert said(capsys) == ("", f"error: {message}\n")


def test_debug_raises_what_happened(capsys: pytest.CaptureFixture[str]) -> None:
    for error in (DuetError("x"), ValueError("x"), ModuleNotFoundError("x", name="x")):
        with pytest.raises(type(error), match="x"):
            failing(error).main(["count", "--debug"])


def test_only_warnings_of_our_own_are_shown() -> None:
    code = (
        "import logging, sys\n"
        "from musicnet_duet.command import Command, Outcome, Program\n"
        "def run(options):\n"
        "    logging.getLogger('gcsfs').error('a traceback')\n"
        "    logging.getLogger('training.reader').warning('a damaged window')\n"
        "    return Outcome({}, '')\n"
        "command = Command(name='x', text='', extra='', add_options=lambda parser: None, run=run)\n"
        "sys.exit(Program('prog', '', (command,)).main(sys.argv[1:]))\n"
    )
    run = [sys.executable, "-c", code, "x"]
    quiet = subprocess.run(run, cwd=ROOT, capture_output=True, text=True)
    assert (quiet.returncode, quiet.stderr) == (0, "a damaged window\n")
    loud = subprocess.run([*run, "--debug"], cwd=ROOT, capture_output=True, text=True)
    assert "a traceback" in loud.stderr


def test_ctrl_c_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert failing(KeyboardInterrupt()).main(["count", "a", "b"]) == 130
    assert said(capsys) == ("", "\ninterrupted; 2 names are left\n")
    assert failing(KeyboardInterrupt()).main(["count", "--debug"]) == 130
    assert "Traceback" in said(capsys)[1]


def test_ctrl_c_ends_a_command_that_loses_it_or_takes_it_for_an_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def lose(options: argparse.Namespace) -> Outcome:
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        time.sleep(60)
        raise AssertionError("nothing ended it")

    def convert(options: argparse.Namespace) -> Outcome:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise RuntimeError("a module cannot be imported") from None
        raise AssertionError("nothing was raised")

    for run in (lose, convert):
        assert program(run).main(["count"]) == 130
        assert said(capsys) == ("", "\ninterrupted; 0 names are left\n")
