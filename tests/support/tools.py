"""Programs that tests need and no Python package brings."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.environments import new_environment

_PLAYWRIGHT = "1.65.2"
_NOTEBOOKS = ("nbclient==0.11.0", "ipykernel==7.4.0")
_ROOT = Path(__file__).parents[2]


def go_tool(module: str) -> Path:
    """The program of a Go module, such as example.org/x/cmd/tool@v1.2.3, built once and kept.

    Skips the test where there is no Go.
    """
    path, _, version = module.partition("@")
    name = path.rpartition("/")[2]
    folder = _cache() / f"{path.replace('/', '-')}-{version}"
    with _alone():
        if not (folder / name).exists():
            if shutil.which("go") is None:
                pytest.skip(f"{name}: needs Go to be built (https://go.dev/dl)")
            environment = {**os.environ, "GOBIN": str(folder), "CGO_ENABLED": "0"}
            run = subprocess.run(
                ["go", "install", module], env=environment, capture_output=True, text=True
            )
            assert run.returncode == 0, run.stderr
    return folder / name


def maven_jar(artifact: str) -> Path:
    """An artifact, such as org.example:name:1.2.3, fetched once and kept.

    Skips the test where there is no Maven.
    """
    _, name, version = artifact.split(":")
    path = _cache() / f"{name}-{version}.jar"
    with _alone():
        if not path.exists():
            if shutil.which("mvn") is None:
                pytest.skip(f"{name}: needs Maven to be fetched (https://maven.apache.org)")
            command = ["mvn", "-q", "-B", "dependency:copy", f"-Dartifact={artifact}"]
            run = subprocess.run(
                [*command, f"-DoutputDirectory={_cache()}"], capture_output=True, text=True
            )
            assert run.returncode == 0, run.stdout
    return path


def browser() -> str:
    """The program of Chromium, or of Chrome. Skips the test where there is neither.

    Where nothing may be skipped, Debian's package is installed.
    """
    found = _browser()
    if found is None and os.environ.get("NO_SKIPS") and shutil.which("apt-get"):
        for command in (["update"], ["install", "--yes", "--no-install-recommends", "chromium"]):
            run = subprocess.run(["apt-get", *command], capture_output=True, text=True)
            assert run.returncode == 0, run.stdout + run.stderr
        found = _browser()
    if found is None:
        pytest.skip("pages need Chromium or Chrome to be looked at (apt-get install chromium)")
    return found


def _browser() -> str | None:
    names = ("chromium", "chromium-browser", "google-chrome")
    return next(filter(None, map(shutil.which, names)), None)


def playwright_python() -> Path:
    """The Python of an environment that holds Playwright, which drives browsers; made once, kept.

    It uses the system's browser, and downloads none.
    """
    folder = _cache() / f"playwright-{_PLAYWRIGHT}"
    with _alone():
        if not (folder / "whole").exists():
            new_environment(folder, f"playwright=={_PLAYWRIGHT}")
            (folder / "whole").touch()
    return folder / "bin" / "python"


def notebook_packages() -> Path:
    """A folder of packages that run notebooks, for PYTHONPATH; filled once, kept.

    The environment of the tests stays as it is.
    """
    name = "-".join(each.replace("==", "-") for each in _NOTEBOOKS)
    folder = _cache() / f"python-{sys.version_info.major}.{sys.version_info.minor}-{name}"
    with _alone():
        if not (folder / "whole").exists():
            install = [sys.executable, "-m", "pip", "install", "--quiet", "--upgrade"]
            where = ["--constraint", str(_ROOT / "constraints.txt"), "--target", str(folder)]
            run = subprocess.run([*install, *where, *_NOTEBOOKS], capture_output=True, text=True)
            assert run.returncode == 0, run.stdout + run.stderr
            (folder / "whole").touch()
    return folder


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Waits until no other process that runs tests makes a program."""
    with (_cache() / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _cache() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "musicnet-duet"
    cache.mkdir(parents=True, exist_ok=True)
    return cache
