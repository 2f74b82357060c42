import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from musicnet_duet import __version__
from musicnet_duet.cli import PROGRAM, main
from schemas.features import PRESETS
from schemas.names import DEFAULT_FEATURES, PRESET_NAMES
from tests.support.command_lines import HEAVY, answers

ROOT = Path(__file__).parents[2]
COMMANDS = ("download", "unpack", "preprocess", "demo-data", "verify", "card", "inspect",
            "rejects",
            "train", "evaluate", "generate", "compare", "ablation",
            "train-transcriber", "evaluate-transcriber", "transcribe",
            "train-composer", "evaluate-composer", "compose", "report")  # fmt: skip


def duet(
    *arguments: object, before: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """The console script; `before` is Python that runs first."""
    code = f"{before}\nfrom musicnet_duet.cli import run\nrun()"
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        encoding=environment.get("PYTHONIOENCODING", "utf-8"),
        env={**os.environ, **environment},
    )


def without(*modules: str) -> str:
    """Python after which some modules are not installed."""
    return (
        "import importlib.abc, sys\n"
        "class Missing(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.partition('.')[0] in {modules!r}:\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Missing())"
    )


def test_one_program_has_the_commands_of_both_halves(capsys: pytest.CaptureFixture[str]) -> None:
    assert sorted(command.name for command in PROGRAM.commands) == sorted(COMMANDS)
    for name in COMMANDS:
        with pytest.raises(SystemExit) as ended:
            main([name, "--help"])
        assert ended.value.code == 0
        assert f"usage: duet {name} " in capsys.readouterr().out


@pytest.mark.parametrize("module", ["musicnet_duet", "pipelines", "training"])
def test_the_version_is_that_of_the_package(module: str) -> None:
    command = [sys.executable, "-m", module, "--version"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (0, f"duet {__version__}\n")


def test_help_needs_nothing_that_is_installed() -> None:
    """So it is quick, which the benchmarks measure."""
    run = duet("--help", before=without(*HEAVY, "fsspec", "shtab"))
    assert run.returncode == 0, run.stderr
    assert all(re.search(rf"\n    {name}\s", run.stdout) for name in COMMANDS)


@pytest.mark.parametrize(
    ("missing", "command", "extra"),
    [
        ("soxr", ("preprocess", "--input", "{root}", "--output", "{tmp}", "--workers", "1"),
         "pipelines"),
        ("apache_beam", ("preprocess", "--input", "{root}", "--output", "{tmp}", "--workers", "1"),
         "pipelines"),
        ("tensorflow", ("train", "--data", "{root}", "--run", "{tmp}"), "training"),
        ("tensorflow", ("generate", "--run", "{tmp}", "--output", "{tmp}/x.wav"), "training"),
    ],
)  # fmt: skip
def test_a_half_that_is_not_installed_says_how_to_install_it(
    missing: str, command: tuple[str, ...], extra: str, tiny_root: Path, tmp_path: Path
) -> None:
    arguments = [text.format(root=tiny_root, tmp=tmp_path) for text in command]
    run = duet(*arguments, before=without(missing))
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr == (
        f"error: {command[0]} needs {missing}, which is not installed; in the project's folder, "
        f"run: pip install '.[{extra}]'\n"
    )


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
@pytest.mark.parametrize("command", ["inspect", "verify", "rejects"])
def test_every_terminal_shows_every_result(
    command: str, encoding: str, tiny_dataset: Path, tmp_path: Path
) -> None:
    link = tmp_path / "Dvořák"
    link.symlink_to(tiny_dataset)
    shown = {"ascii": r"Dvo\u0159\xe1k", "cp1252": r"Dvo\u0159ák", "utf-8": "Dvořák"}[encoding]
    run = duet(command, link, PYTHONIOENCODING=encoding)
    assert run.returncode == 0, run.stderr
    assert shown in run.stdout
    run = duet(command, tmp_path / "Janáček", PYTHONIOENCODING=encoding)
    assert run.returncode == 1
    assert "Traceback" not in run.stderr
    run = duet(command, link, "--json", PYTHONIOENCODING=encoding)
    assert run.stdout.isascii()


def test_a_misspelling_is_answered_before_anything_is_imported() -> None:
    given = [
        ["preproces"],
        ["preprocess", "--wokers", "2"],
        ["train", "--setps", "3"],
        ["evaluate", "--run-dir", "x"],
    ]
    meant = ["preprocess", "--workers", "--steps", "--run"]
    for answer, word in zip(answers("musicnet_duet.cli", given), meant, strict=True):
        assert (answer.status, answer.heavy) == (2, [])
        assert answer.message.endswith(f"; did you mean {word}?\n")


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_the_shell_completes_commands_options_and_paths(shell: str) -> None:
    run = duet("--print-completion", shell)
    assert run.returncode == 0, run.stderr
    assert all(text in run.stdout for text in (*COMMANDS, "--max-rejects", "--temperature"))
    assert ("_files" if shell == "zsh" else "_shtab_compgen_files") in run.stdout


def test_completion_says_what_it_needs() -> None:
    run = duet("--print-completion", "bash", before=without("shtab"))
    assert (run.returncode, run.stdout) == (2, "")
    assert "needs shtab, which is not installed" in run.stderr


def test_names_on_the_command_line_are_those_of_the_contract() -> None:
    assert sorted(PRESET_NAMES) == sorted(PRESETS)
    assert PRESETS["librosa"].features == DEFAULT_FEATURES


def test_packages_say_that_they_are_typed() -> None:
    for package in ("musicnet_duet", "pipelines", "schemas", "training"):
        spec = importlib.util.find_spec(package)
        assert spec is not None
        assert spec.origin is not None
        assert Path(spec.origin).with_name("py.typed").exists()


@pytest.mark.parametrize("given", [["--"], ["--", "--streaming"]])
def test_two_dashes_alone_ask_for_a_command(
    given: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(given) == 2
    assert "error: name a command before '--'; the commands are " in capsys.readouterr().err
