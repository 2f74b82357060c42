"""Programs that tests need and no Python package brings."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest


def go_tool(module: str) -> Path:
    """The program of a Go module, such as example.org/x/cmd/tool@v1.2.3, built once and kept.

    Skips the test where there is no Go.
    """
    path, _, version = module.partition("@")
    name = path.rpartition("/")[2]
    folder = _cache() / f"{path.replace('/', '-')}-{version}"
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
    if not path.exists():
        if shutil.which("mvn") is None:
            pytest.skip(f"{name}: needs Maven to be fetched (https://maven.apache.org)")
        command = ["mvn", "-q", "-B", "dependency:copy", f"-Dartifact={artifact}"]
        run = subprocess.run(
            [*command, f"-DoutputDirectory={_cache()}"], capture_output=True, text=True
        )
        assert run.returncode == 0, run.stdout
    return path


def _cache() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "musicnet-duet"
    cache.mkdir(parents=True, exist_ok=True)
    return cache
