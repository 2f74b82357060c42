"""Whether the folder that a run writes lies apart from what it reads, and from other datasets."""

from __future__ import annotations

import contextlib
import os
import posixpath
from pathlib import Path

from musicnet_duet.outputs import dataset_around
from pipelines.errors import PipelineError
from schemas import DuetError, Storage
from schemas.manifest import MANIFEST_FILE
from schemas.storage.object_stores import usual_protocol


def require_apart(input_root: str, output: str) -> None:
    """Raises `PipelineError` where one of two folders is the other, or lies in it.

    Links are followed on local disks.
    """
    source, target = Storage(input_root), Storage(output)
    if source.is_local != target.is_local:
        return
    outward, inward = _ancestors(source), _ancestors(target)
    if _same(outward[0], inward[0]):
        cause = "it is the input folder"
    elif any(_same(each, outward[0]) for each in inward):
        cause = f"it lies within the input folder {input_root}"
    elif any(_same(each, inward[0]) for each in outward):
        cause = f"the input folder {input_root} lies within it"
    else:
        return
    raise PipelineError(f"{output}: cannot be a dataset's folder: {cause}; choose another output")


def require_outside_datasets(output: str) -> None:
    """Raises `PipelineError` where a folder lies within a dataset's, to which nothing may be added.

    Links are followed on local disks.
    """
    if around := _dataset_around(Storage(output)):
        raise PipelineError(
            f"{output}: lies within {around}, which is a dataset's own folder, since it holds "
            f"{MANIFEST_FILE}; choose another output"
        )


def _dataset_around(target: Storage) -> str | None:
    """The folder of a dataset in which a folder lies; None where there is none, or nobody knows."""
    if target.is_local:
        folder = Path(os.path.realpath(target.local_path()))
        return str(found) if (found := dataset_around(folder.parent)) else None
    for url in map(str, _ancestors(target)[1:]):
        # A store need not let everyone see what lies above.
        with contextlib.suppress(DuetError):
            if Storage(url).exists(MANIFEST_FILE):
                return url
    return None


def _ancestors(storage: Storage) -> list[str] | list[Path]:
    """The folder and all that it lies in: paths without links, or URLs of one spelling."""
    if storage.is_local:
        path = Path(os.path.realpath(storage.local_path()))
        return [path, *path.parents]
    rest, protocol = storage.root.partition("://")[2], usual_protocol(storage.root)
    rests = [posixpath.normpath(rest)]
    while (above := posixpath.dirname(rests[-1])).strip("/"):
        rests.append(above)
    return [f"{protocol}://{each}" for each in rests]


def _same(first: str | Path, second: str | Path) -> bool:
    """Whether two paths are one folder, which may have several names."""
    if first == second:
        return True
    if not (isinstance(first, Path) and isinstance(second, Path)):
        return False
    # Not `samefile` alone, nor `Path.exists`: both raise for a name that no disk can have.
    return os.path.exists(first) and os.path.exists(second) and first.samefile(second)
