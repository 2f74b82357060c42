"""The recordings of an input, whatever its layout."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence

from pipelines.audio.header import SUFFIXES
from pipelines.errors import PipelineError
from pipelines.recordings.folder import list_any_folder
from pipelines.recordings.musicnet import layouts, list_musicnet
from pipelines.recordings.source import Source
from schemas import Storage
from schemas.rejects import Reject, RejectReason, RejectStage, printable

TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
PACKED_SUFFIXES = (*TAR_SUFFIXES, ".zip", ".h5", ".npz")
"""The endings of files that `duet unpack` takes, in lower case."""

_SHOWN = 3


def list_sources(root: str) -> tuple[list[Source], list[Reject]]:
    """All recordings below `root`, sorted by id (bytewise), and what is not one of them.

    Where a folder in MusicNet's layout lies at some depth, its recordings count; elsewhere all
    audio files do. Files that are not used are noticed, each by its name. Raises `PipelineError`
    where there is no recording, or more than one layout of MusicNet.
    """
    storage = Storage(root)
    if storage.is_local and storage.local_path().is_file():
        raise PipelineError(_is_file(root))
    files = storage.list_files()
    found = layouts(files)
    if len(found) > 1 and "" not in found:
        shown = ", ".join(repr(storage.path(each)) for each in found[:_SHOWN])
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise PipelineError(
            f"{root}: holds MusicNet's folders several times, in {shown}{more}; choose one of them "
            "as the input"
        )
    sources, rejects, used = (
        list_musicnet(storage, found[0]) if found else list_any_folder(storage, files)
    )
    if not sources and not rejects:
        raise PipelineError(f"{root}: {_why_no_audio(storage, files)}")
    rejects += _unused(files, used)
    return sorted(sources, key=lambda source: source.recording_id.encode()), rejects


def _is_file(root: str) -> str:
    if root.lower().endswith(PACKED_SUFFIXES):
        return f"{root}: is packed; {_unpack_it(root)}"
    return f"{root}: is a file; name the folder in which it lies"


def _unpack_it(path: str) -> str:
    return f"unpack it: {shlex.join(['duet', 'unpack', path, '--output', 'FOLDER'])}"


def without_labels(root: str) -> bool:
    """Whether there are recordings below `root`, and none has labels.

    Raises as `list_sources`, and `DatasetError` where `root` is in a bucket that is missing.
    """
    Storage(root).require_store()
    sources, _ = list_sources(root)
    return bool(sources) and all(source.labels_path is None for source in sources)


def _unused(files: Sequence[str], used: Collection[str]) -> list[Reject]:
    return [
        Reject(
            recording_id="",
            stage=RejectStage.LIST,
            reason=RejectReason.FILE_UNUSED,
            message=f"{printable(name)}: is not used",
        )
        for name in files
        if name not in used
    ]


def _why_no_audio(storage: Storage, files: Sequence[str]) -> str:
    if not storage.exists():
        return "no such folder; check its name"
    packed = [name for name in files if name.lower().endswith(PACKED_SUFFIXES)]
    if packed:
        where = storage.path(packed[0])
        return f"holds no recordings, but {printable(packed[0])}; {_unpack_it(where)}"
    known = " ".join(SUFFIXES)
    if not files:
        return f"holds no files; choose a folder with recordings ({known})"
    shown = ", ".join(printable(name) for name in files[:_SHOWN])
    more = f" and {len(files) - _SHOWN} more" if len(files) > _SHOWN else ""
    return f"holds no recording ({known}), only {shown}{more}; choose another folder"
