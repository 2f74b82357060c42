"""Whether the folder that a run writes lies apart from what it reads, and from other datasets."""

from __future__ import annotations

import os
import posixpath
from pathlib import Path, PurePosixPath

from pipelines.errors import PipelineError
from schemas import Dataset, DatasetError, Storage
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
    """Raises `PipelineError` where a folder lies within a dataset, to which nothing is added.

    Links are followed on local disks.
    """
    target = Storage(output)
    for folder in _ancestors(target)[1:]:
        where = str(folder) if target.is_local else _url(folder, target)
        try:
            dataset = Dataset(where)
        except DatasetError:
            continue
        raise PipelineError(
            f"{output}: lies within the dataset {dataset.storage.root}, to which nothing is added; "
            "choose another output"
        )


def _ancestors(storage: Storage) -> list[PurePosixPath | Path]:
    """The folder and all that it lies in."""
    if storage.is_local:
        path = Path(os.path.realpath(storage.local_path()))
        return [path, *path.parents]
    rest = storage.root.partition("://")[2]
    url = PurePosixPath(f"{usual_protocol(storage.root)}:", posixpath.normpath(rest))
    return [url, *url.parents[:-2]]


def _url(folder: PurePosixPath | Path, storage: Storage) -> str:
    """The URL of one of the folders that a store's lies in."""
    return f"{storage.root.partition('://')[0]}://{'/'.join(folder.parts[1:])}"


def _same(first: PurePosixPath | Path, second: PurePosixPath | Path) -> bool:
    """Whether two paths are one folder, which may have several names."""
    if first == second:
        return True
    if not (isinstance(first, Path) and isinstance(second, Path)):
        return False
    # Not `samefile` alone, nor `Path.exists`: both raise for a name that no disk can have.
    return os.path.exists(first) and os.path.exists(second) and first.samefile(second)
