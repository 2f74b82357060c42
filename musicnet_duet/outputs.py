"""Files that a user asks for: nothing is replaced by accident, or appears before all are written.

They are renamed one by one: a kill between two renames can leave some of them.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from schemas.errors import DuetError
from schemas.manifest import MANIFEST_FILE
from schemas.storage import Storage, writing

RUN_FILE = "run.json"
"""The file that makes a folder the folder of a training run."""

TRANSCRIBER_FILE = "transcriber.json"
"""The file that makes a folder that of a transcriber."""

COMPOSER_FILE = "composer.json"
"""The file that makes a folder that of a composer."""

RUN_PICTURE = "curve.png"
"""The picture that training draws in it."""

RUN_FOLDERS = ("checkpoints", "tensorboard")
"""The folders in it that belong to the run."""


class OutputError(DuetError):
    """A file cannot be written where the user asked for it."""


def require_free(paths: Sequence[Path], *, overwrite: bool) -> None:
    """Raises `OutputError` unless every path may be written.

    A path that exists may be replaced with `overwrite` only. Files that belong to a run or to a
    dataset are never replaced, and nothing is added to a dataset's folder.
    """
    for path in paths:
        _require_not_owned(path)
        if os.path.isdir(path):
            raise OutputError(f"{path}: is a folder; choose the name of a file")
        if os.path.lexists(path) and not overwrite:
            raise OutputError(
                f"{path}: exists; choose another name, or replace it (overwrite=True)"
            )


def write_together(files: Mapping[Path, bytes]) -> None:
    """Writes files that appear, whole, once all of them could be written; the first comes last.

    Raises `schemas.DatasetError` with the path, the cause, and the remedy where one cannot be.
    """
    with contextlib.ExitStack() as stack:
        opened = {}
        for path in files:
            folder = Storage(path.absolute().parent)
            opened[path] = stack.enter_context(folder.create(path.name))
        for path, file in opened.items():
            file.write(files[path])
            file.flush()
            with writing(path):
                os.fsync(file.fileno())


def dataset_around(folder: Path) -> Path | None:
    """The folder of the dataset that `folder` is, or lies in; None where it lies in none."""
    resolved = folder.resolve()
    around = (resolved, *resolved.parents)
    return next((each for each in around if os.path.exists(each / MANIFEST_FILE)), None)


def _require_not_owned(path: Path) -> None:
    folder = path.absolute().parent.resolve()
    inside = [path.name.casefold()]
    owners = {
        RUN_FILE: "run",
        TRANSCRIBER_FILE: "transcriber",
        COMPOSER_FILE: "composer",
        MANIFEST_FILE: "dataset",
    }
    if kind := owners.get(inside[0]):
        raise OutputError(f"{path}: only a {kind} may have a file of this name; choose another")
    if dataset := dataset_around(folder):
        raise OutputError(f"{path}: {dataset} is a dataset's own folder; choose another folder")
    if inside[0] == RUN_PICTURE and os.path.exists(folder / RUN_FILE):
        raise OutputError(f"{path}: belongs to the run in {folder}; choose another name")
    for parent in (folder, *folder.parents):
        if inside[0] in RUN_FOLDERS and os.path.exists(parent / RUN_FILE):
            raise OutputError(f"{path}: belongs to the run in {parent}; choose another folder")
        inside.insert(0, parent.name.casefold())
