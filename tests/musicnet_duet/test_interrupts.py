"""Each test is a process, which sends itself what a terminal sends on Ctrl-C."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

FRAME = """
import contextlib, os, signal, sys, threading, time
from musicnet_duet.interrupts import lasting_interrupts

def press():
    os.kill(os.getpid(), signal.SIGINT)

class Finalized:
    def __init__(self, act):
        self.act = act
    def __del__(self):
        self.act()

before = threading.active_count(), sys.unraisablehook
try:
    with lasting_interrupts():
        {body}
        print("ended")
except KeyboardInterrupt as error:
    print("interrupted", type(error.__cause__).__name__)
except Exception as error:
    print(repr(error))
{after}
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
assert before == (threading.active_count(), sys.unraisablehook)
"""


def ran(body: str, after: str = "") -> tuple[str, str]:
    """What a process prints whose block does something, to standard output and error."""
    inner = textwrap.indent(textwrap.dedent(body), " " * 8).strip()
    code = FRAME.format(body=inner, after=after)
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=20
    )
    assert run.returncode == 0, run.stderr
    return run.stdout, run.stderr


@pytest.mark.parametrize(
    "lost",
    [
        """
        with contextlib.suppress(BaseException):
            press()
        """,
        """
        try:
            press()
        except BaseException as error:
            kept = error
        time.sleep(0.2)
        del kept
        """,
        """
        def swallow():
            try:
                press()
            finally:
                return
        swallow()
        """,
        """
        for _ in range(3):
            with contextlib.suppress(BaseException):
                press()
                time.sleep(60)
        """,
        "del [Finalized(press)][0]",
        "del [Finalized(lambda: [press(), time.sleep(60)])][0]",
    ],
)
def test_an_interrupt_that_is_lost_comes_again(lost: str) -> None:
    assert ran(textwrap.dedent(lost).strip() + "\ntime.sleep(60)") == ("interrupted NoneType\n", "")


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        ("ValueError('odd') from interrupt", "ValueError"),
        ("ImportError('odd') from None", "ImportError"),
        ("SystemExit(1)", "SystemExit"),
    ],
)
def test_an_error_that_a_library_made_of_it_is_an_interrupt(error: str, cause: str) -> None:
    body = f"""
    try:
        press()
    except KeyboardInterrupt as interrupt:
        raise {error}
    """
    assert ran(body) == (f"interrupted {cause}\n", "")


def test_an_error_that_follows_an_interrupt_that_was_lost_is_one() -> None:
    body = """
    with contextlib.suppress(KeyboardInterrupt):
        press()
    raise ValueError("odd")
    """
    assert ran(body) == ("interrupted ValueError\n", "")


def test_other_errors_are_raised_as_they_are() -> None:
    assert ran("raise ValueError('odd')") == ("ValueError('odd')\n", "")


@pytest.mark.parametrize(
    "body",
    [
        """
        try:
            press()
        finally:
            clean_up()
        """,
        """
        with contextlib.ExitStack() as stack:
            stack.callback(clean_up)
            press()
        """,
        """
        for _ in numbers():
            press()
        """,
        """
        try:
            press()
        except BaseException as error:
            kept = error
        clean_up()
        raise kept
        """,
        """
        try:
            press()
        finally:
            with contextlib.suppress(ValueError):
                try:
                    raise ValueError
                finally:
                    clean_up()
        """,
        """
        usual = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        press()
        clean_up()
        signal.pthread_sigmask(signal.SIG_SETMASK, usual)
        """,
    ],
)
def test_what_cleans_up_is_not_interrupted(body: str) -> None:
    functions = """
    def clean_up():
        time.sleep(0.3)
        print("cleaned up")

    def numbers():
        try:
            yield 1
        finally:
            clean_up()
    """
    whole = textwrap.dedent(functions) + textwrap.dedent(body)
    assert ran(whole) == ("cleaned up\ninterrupted NoneType\n", "")


def test_a_second_interrupt_is_not_held_back() -> None:
    body = """
    try:
        press()
    finally:
        press()
        print("cleaned up")
    """
    assert ran(body) == ("interrupted NoneType\n", "")


def test_a_block_that_comes_to_its_end_keeps_its_result() -> None:
    """The interrupt that was due is not raised later."""
    body = """
    with contextlib.suppress(KeyboardInterrupt):
        press()
    """
    assert ran(body, "time.sleep(0.3)") == ("ended\n", "")


def test_a_handler_that_the_block_installs_stays() -> None:
    body = "signal.signal(signal.SIGINT, signal.SIG_IGN)"
    after = "print('press'); press(); signal.signal(signal.SIGINT, signal.default_int_handler)"
    assert ran(body, after) == ("ended\npress\n", "")


def test_what_cannot_be_raised_is_shown() -> None:
    output, errors = ran("del [Finalized(lambda: 1 / 0)][0]")
    assert output == "ended\n"
    assert errors.splitlines()[-1] == "ZeroDivisionError: division by zero"


@pytest.mark.parametrize(
    "handler", ["signal.SIG_IGN", "lambda number, frame: print('mine')"], ids=["ignored", "own"]
)
def test_another_handler_stays(handler: str) -> None:
    code = (
        "import os, signal\n"
        "from musicnet_duet.interrupts import lasting_interrupts\n"
        f"handler = {handler}\n"
        "signal.signal(signal.SIGINT, handler)\n"
        "with lasting_interrupts():\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "assert signal.getsignal(signal.SIGINT) is handler\n"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, timeout=20)
    assert run.returncode == 0, run.stderr
    assert run.stdout == (b"" if "IGN" in handler else b"mine\n")


def test_a_block_in_another_thread_is_left_alone() -> None:
    body = """
    def act():
        with lasting_interrupts():
            print("act")

    thread = threading.Thread(target=act)
    thread.start()
    thread.join()
    """
    assert ran(body) == ("act\nended\n", "")
