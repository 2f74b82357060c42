"""Folders of which only the names matter."""

from __future__ import annotations

from pathlib import Path


def touch(root: Path, *names: str) -> str:
    """Makes empty files below a folder; the folder, as commands name it."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return str(root)
