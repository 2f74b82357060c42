"""An earlier commit of this repository, in a folder of its own."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).parent.parent


def check_out(commit: str, folder: Path, *, repository: Path = ROOT) -> None:
    """Writes the files of a commit into `folder`; ends the process where history lacks it."""
    archive = folder.with_suffix(".tar")
    command = ["git", "-C", str(repository), "archive", f"--output={archive}", commit]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except FileNotFoundError:
        sys.exit(f"error: git is needed to compare with commit {commit}; install it")
    except subprocess.CalledProcessError as error:
        cause = error.stderr.decode(errors="replace").strip().split("\n")[0]
        sys.exit(
            f"error: commit {commit} is not in the history of {repository} ({cause}); use a "
            "whole clone: git fetch --unshallow"
        )
    with tarfile.open(archive) as file:
        file.extractall(folder, filter="data")
    archive.unlink()
