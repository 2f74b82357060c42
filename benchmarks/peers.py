"""Environments for peers that development does not install; made when they are first needed."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".venv-peers"

_CPU_WHEELS = "https://download.pytorch.org/whl/cpu"
"""The wheels on PyPI bring 3 GB of CUDA along."""

_INSTALLED = """\
import importlib.metadata, json
print(json.dumps([f"{each.name}=={each.version}" for each in importlib.metadata.distributions()]))
"""


class PeerError(Exception):
    """A peer cannot be installed; the message says why."""


@dataclasses.dataclass(frozen=True)
class Peer:
    """Packages as `name==version`; those of `cpu_packages` come from PyTorch's own index."""

    name: str
    packages: tuple[str, ...]
    cpu_packages: tuple[str, ...] = ()


GRAIN = Peer("grain", ("grain==0.2.18", "array_record==0.8.6"))
TORCH = Peer(
    "torch", ("mosaicml-streaming==0.13.0",), cpu_packages=("torch==2.15.0", "torchvision==0.29.2")
)

_READING = ("psutil==7.2.2",)
"""What `benchmarks.reading` needs in every environment, besides this project's requirements."""


def interpreter(peer: Peer, *, folder: Path = FOLDER) -> Path:
    """The Python of an environment that has the peer, and what reads with it; made if it must be.

    What is installed already, by hand for example, is left as it is. Raises `PeerError` where the
    packages cannot be had.
    """
    python = folder / peer.name / "bin/python"
    if not python.exists():
        _run([sys.executable, "-m", "venv", str(python.parents[1])])
    steps = (
        (peer.cpu_packages, ("--index-url", _CPU_WHEELS)),
        ((*peer.packages, *_READING), ("--editable", str(ROOT))),
    )
    for packages, options in steps:
        if missing(packages, installed(python)):
            shown = " and ".join(packages)
            print(f"installing {shown} into {python.parents[1]}", file=sys.stderr, flush=True)
            pip = (str(python), "-m", "pip", "install", "--retries", "1", "--timeout", "20")
            _run([*pip, *packages, *options])
    return python


def installed(python: Path) -> list[str]:
    """All packages of an environment, as `name==version`."""
    return [str(each) for each in json.loads(_run([str(python), "-c", _INSTALLED]))]


def missing(packages: Sequence[str], found: Sequence[str]) -> bool:
    """Whether some of the packages are not among those found; builds such as +cpu are alike."""
    return not {_plain(each) for each in packages} <= {_plain(each) for each in found}


def _plain(package: str) -> str:
    return package.partition("+")[0].lower().replace("_", "-")


def _run(command: Sequence[str]) -> str:
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode:
        lines = run.stderr.strip().splitlines() or ["no message"]
        raise PeerError(lines[-1].removeprefix("ERROR: "))
    return run.stdout
