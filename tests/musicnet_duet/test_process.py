"""Each test is a process, since what is tested is how processes print and end."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

RESULT = """
from musicnet_duet.process import prepare_streams, print_message, print_result
def main():
    prepare_streams()
    try:
        return 0 if print_result("x" * {size} + "Dvořák \\udcff") else 141
    except Exception as error:
        print_message(f"error: {{error}}, ř")
        return 1
"""
PROCESS = "from musicnet_duet.process import run_process\n"


def python(code: str, shell: str = '"$@"', **environment: str) -> subprocess.CompletedProcess[Any]:
    command = ["bash", "-c", shell, "bash", sys.executable, "-c", code]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, env={**os.environ, **environment}, timeout=60
    )


def python_main(body: str, before: str = "") -> subprocess.CompletedProcess[Any]:
    """A process whose `main` does something, after something else."""
    imports = "import atexit, os, signal, sys, threading, time\nfrom musicnet_duet import process\n"
    main = f"def main():\n{textwrap.indent(textwrap.dedent(body), '    ')}\n"
    return python(imports + textwrap.dedent(before) + main + "process.run_process(main)")


@pytest.mark.parametrize(
    ("encoding", "printed"),
    [
        ("utf-8", "Dvořák \\udcff\n".encode()),
        ("cp1252", b"Dvo\\u0159\xe1k \\udcff\n"),
        ("ascii", b"Dvo\\u0159\\xe1k \\udcff\n"),
    ],
)
def test_what_a_terminal_cannot_show_is_escaped(encoding: str, printed: bytes) -> None:
    code = PROCESS + RESULT.format(size=0) + "run_process(main)"
    run = python(code, PYTHONIOENCODING=encoding)
    assert (run.returncode, run.stdout, run.stderr) == (0, printed, b"")


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    code = PROCESS + RESULT.format(size=1_000_000) + "run_process(main)"
    run = python(code, '"$@" | head -c 1; exit ${PIPESTATUS[0]}')
    assert (run.returncode, run.stdout, run.stderr) == (141, b"x", b"")


@pytest.mark.parametrize(
    ("shell", "message"),
    [
        ('"$@" >&-', b"standard output is closed, so the result cannot be printed"),
        ('"$@" >/dev/full', b"standard output: cannot be written: no space left on device"),
    ],
)
def test_a_result_that_cannot_be_printed_is_an_error(shell: str, message: bytes) -> None:
    code = PROCESS + RESULT.format(size=0) + "run_process(main)"
    run = python(code, shell, PYTHONIOENCODING="ascii")
    assert (run.returncode, run.stdout) == (1, b"")
    assert run.stderr == b"error: " + message + b", \\u0159\n"


def test_a_closed_error_stream_keeps_the_result_pure() -> None:
    code = (
        PROCESS + RESULT.format(size=0) + "run_process(lambda: main() or print_message('x') or 3)"
    )
    run = python(code, '"$@" 2>&-', PYTHONIOENCODING="utf-8")
    assert (run.returncode, run.stdout) == (3, "Dvořák \\udcff\n".encode())


def test_files_do_not_get_the_numbers_of_closed_streams() -> None:
    code = PROCESS + (
        "from musicnet_duet.process import prepare_streams\n"
        "prepare_streams()\n"
        "run_process(lambda: open('/dev/null').fileno())"
    )
    assert python(code, '"$@" <&- >&- 2>&-').returncode >= 3


def test_exit_handlers_run_and_then_the_process_ends_at_once() -> None:
    """A handler that was registered before is the one that would abort the interpreter."""
    before = """
    class Aborting:
        def __del__(self): os.write(2, b'finalized')
    left = Aborting()
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    """
    body = """
    atexit.register(lambda: print('cleaned up'))
    sys.stdout.write('result, ')
    return 5
    """
    run = python_main(body, before)
    assert (run.returncode, run.stdout, run.stderr) == (5, b"result, cleaned up\n", b"")


@pytest.mark.parametrize(("seconds", "printed"), [(600, b"result"), (0.5, b"resultcleaned up\n")])
def test_threads_that_were_left_behind_are_not_waited_for_long(
    seconds: float, printed: bytes
) -> None:
    body = f"""
    threading.Thread(target=time.sleep, args=({seconds},)).start()
    atexit.register(lambda: print('cleaned up'))
    sys.stdout.write('result')
    return 3
    """
    run = python_main(body)
    assert (run.returncode, run.stdout, run.stderr) == (3, printed, b"")


def test_what_is_done_at_exit_may_take_its_time() -> None:
    body = """
    atexit.register(lambda: [time.sleep(0.5), print('cleaned up')])
    return 3
    """
    run = python_main(body, "process._PATIENCE = 0.1\n")
    assert (run.returncode, run.stdout, run.stderr) == (3, b"cleaned up\n", b"")


def test_ctrl_c_ends_a_process_at_once_whose_main_has_ended() -> None:
    body = """
    atexit.register(lambda: [os.kill(os.getpid(), signal.SIGINT), time.sleep(60)])
    print('result')
    return 3
    """
    run = python_main(body)
    assert (run.returncode, run.stdout, run.stderr) == (3, b"result\n", b"")


@pytest.mark.parametrize(
    ("body", "status"),
    [("sys.exit(0)", 0), ("sys.exit(2)", 2), ("sys.exit()", 0), ("1 / 0", 1)],
)
def test_whatever_ends_a_command_gives_its_status(body: str, status: int) -> None:
    run = python(PROCESS + f"import sys\nrun_process(lambda: {body})")
    assert run.returncode == status
    assert (b"ZeroDivisionError" in run.stderr) == (body == "1 / 0")


def test_ctrl_c_before_a_command_runs_is_told_in_one_line() -> None:
    run = python(
        PROCESS + "import os, signal\nrun_process(lambda: os.kill(os.getpid(), signal.SIGINT))"
    )
    assert (run.returncode, run.stdout, run.stderr) == (130, b"", b"\ninterrupted\n")
