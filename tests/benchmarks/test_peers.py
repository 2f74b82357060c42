import json
from pathlib import Path

import pytest

from benchmarks.peers import Peer, PeerError, interpreter, missing

PEER = Peer("duck", ("duck==1.2",), cpu_packages=("pond==3.0",))

STAND_IN = """\
#!/bin/sh
# A Python whose pip writes down what it is to install.
cd "$(dirname "$0")"
case "$1" in
  -c) cat installed ;;
  -m)
    echo "$*" >>calls
    [ ! -e fails ] || { printf 'Looking in links\\nERROR: no duck\\n' >&2; exit 1; } ;;
esac
"""


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """The folder of an environment in which nothing is installed yet."""
    folder = tmp_path / "duck/bin"
    folder.mkdir(parents=True)
    (folder / "installed").write_text("[]")
    (folder / "python").write_text(STAND_IN)
    (folder / "python").chmod(0o755)
    return folder


def calls(environment: Path) -> list[str]:
    file = environment / "calls"
    return file.read_text().splitlines() if file.exists() else []


def test_each_index_is_asked_for_its_own_packages(environment: Path) -> None:
    assert interpreter(PEER, folder=environment.parents[1]) == environment / "python"
    first, second = calls(environment)
    assert "pond==3.0 --index-url" in first
    assert "duck==1.2" in second
    assert "--editable" in second
    assert "index-url" not in second


def test_what_is_installed_by_hand_is_left_as_it_is(environment: Path) -> None:
    (environment / "installed").write_text(json.dumps(["Pond==3.0"]))
    interpreter(PEER, folder=environment.parents[1])
    (call,) = calls(environment)
    assert "duck==1.2" in call


def test_nothing_is_installed_twice(environment: Path) -> None:
    found = ["pond==3.0+cpu", "duck==1.2", "psutil==7.2.2"]
    (environment / "installed").write_text(json.dumps(found))
    interpreter(PEER, folder=environment.parents[1])
    assert calls(environment) == []


def test_why_a_peer_cannot_be_installed_is_one_line(environment: Path) -> None:
    (environment / "fails").touch()
    with pytest.raises(PeerError, match=r"^no duck$"):
        interpreter(PEER, folder=environment.parents[1])


@pytest.mark.parametrize(
    ("found", "lacking"),
    [
        ([], True),
        (["torch==2.14.0"], True),
        (["torch==2.15.0"], False),
        (["torch==2.15.0+cpu", "numpy==2.1.3"], False),
    ],
)
def test_another_build_of_the_same_version_will_do(found: list[str], lacking: bool) -> None:
    assert missing(["torch==2.15.0"], found) is lacking


def test_names_are_compared_as_pip_compares_them() -> None:
    assert not missing(["array_record==0.8.6"], ["Array-Record==0.8.6"])
