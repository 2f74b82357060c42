"""Downloading MusicNet from its publisher: Zenodo's record 5120004."""

from __future__ import annotations

import dataclasses
import hashlib
import http.client
import json
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from musicnet_duet import progress
from pipelines.errors import PipelineError
from schemas import Storage
from schemas.storage import writing

RECORD = "https://zenodo.org/api/records/5120004"

MD5 = {
    "musicnet.tar.gz": "844764911fa0d5b97c97da944a057590",
    "musicnet_metadata.csv": "1caef62cee9c875235e62aac368b49d8",
}
"""The md5 digests of files that never change, whatever the publisher says."""

_BLOCK_BYTES = 1 << 20
_TIMEOUT = 60.0
"""Seconds without a byte after which a connection counts as lost."""

_TRIES = 5
"""Of one file, in a row, that bring no byte."""

_PAUSE = 2.0
"""Seconds before the second try; each pause is twice as long as the one before."""

_PASSING = (http.HTTPStatus.REQUEST_TIMEOUT, http.HTTPStatus.TOO_MANY_REQUESTS)
"""Beside those from 500 on, answers of a server that may change soon."""

Answer = TypeVar("Answer")


@dataclasses.dataclass(frozen=True, kw_only=True)
class RemoteFile:
    """A file of a record: its name, where it is, its size in bytes and its md5 digest."""

    name: str
    url: str
    nbytes: int
    md5: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Downloaded:
    """What is in the folder `output` now; `kept` of `files` were there before."""

    output: str
    files: tuple[str, ...]
    kept: int
    bytes: int


def download(output: str, *, record: str = RECORD, pause: float = _PAUSE) -> Downloaded:
    """Downloads the files of MusicNet's record into a folder, and checks their digests.

    A file that is there whole is kept, and one that was begun is gone on with. Connections that
    break off are made again.

    Args:
        output: A local folder.
        record: The address of the record, as Zenodo's interface for programs has it.
        pause: Seconds to wait after a connection that brought nothing.

    Returns:
        Which files there are.

    Raises:
        PipelineError: If the publisher cannot be reached, a file does not have its digest, or the
            disk has no space for the files.
    """
    storage = Storage(output)
    if not storage.is_local:
        raise PipelineError(f"{output}: is not on this machine; choose a folder that is")
    files = _files(record, pause)
    folder = storage.local_path()
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    missing = [each for each in files if not _is_there(folder / each.name, each)]
    _require_space(folder, missing)
    for each in missing:
        _fetch(each, folder, pause)
    return Downloaded(
        output=output,
        files=tuple(each.name for each in files),
        kept=len(files) - len(missing),
        bytes=sum(each.nbytes for each in files),
    )


def _files(record: str, pause: float) -> list[RemoteFile]:
    """What the record lists."""

    def ask() -> Any:
        with urllib.request.urlopen(record, timeout=_TIMEOUT) as answer:
            return json.load(answer)

    try:
        content = _patiently(ask, record, pause) or {}
        files = [
            RemoteFile(
                name=str(each["key"]),
                url=str(each["links"]["self"]),
                nbytes=int(each["size"]),
                md5=str(each["checksum"]).removeprefix("md5:"),
            )
            for each in content["files"]
        ]
    except (KeyError, TypeError, ValueError):
        raise PipelineError(f"{record}: is no record of Zenodo's; try again later") from None
    for each in files:
        if "/" in each.name or each.name.startswith("."):
            raise PipelineError(f"{record}: lists the file {each.name!r}, which is not MusicNet's")
        if each.md5 != MD5.get(each.name, each.md5):
            raise PipelineError(
                f"{record}: says that {each.name} has the md5 digest {each.md5}, and MusicNet's "
                f"has {MD5[each.name]}; try again later"
            )
    return files


def _is_there(path: Path, file: RemoteFile) -> bool:
    """Whether a file is there. Raises `PipelineError` where another one has its name."""
    if not path.exists():
        return False
    if path.is_file() and path.stat().st_size == file.nbytes and _md5(path) == file.md5:
        return True
    raise PipelineError(f"{path}: is not the publisher's file; remove it, or choose another output")


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def _part(folder: Path, file: RemoteFile) -> Path:
    """What is there of a file that is not whole."""
    return folder / f"{file.name}.part"


def _require_space(folder: Path, files: Sequence[RemoteFile]) -> None:
    held = sum(part.stat().st_size for each in files if (part := _part(folder, each)).is_file())
    needed = sum(each.nbytes for each in files) - held
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise PipelineError(
            f"{folder}: {needed / 1e6:,.0f} MB are needed and {free / 1e6:,.0f} MB are free; free "
            "some, or choose another output"
        )


def _fetch(file: RemoteFile, folder: Path, pause: float) -> None:
    """Downloads a file, or the rest of one, and checks it."""
    path, part = folder / file.name, _part(folder, file)
    held = part.stat().st_size if part.is_file() else 0
    if held > file.nbytes:
        held = 0
        part.unlink()
    with progress.ProgressDisplay(file.name, unit="bytes", total=file.nbytes, done=held) as shown:
        while (held := part.stat().st_size if part.is_file() else 0) < file.nbytes:
            _patiently(lambda: _append(file, part, shown), file.url, pause)
    found = _md5(part)
    if found != file.md5:
        part.unlink()
        raise PipelineError(
            f"{path}: was downloaded with the md5 digest {found} instead of {file.md5}, so that "
            "bytes of it are wrong, and was removed; run the same command again"
        )
    with writing(path):
        part.rename(path)


def _append(file: RemoteFile, part: Path, shown: progress.ProgressDisplay) -> None:
    """Adds to a part what one connection brings; raises where that is nothing."""
    held = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(file.url, headers={"Range": f"bytes={held}-"} if held else {})
    with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:
        if held and answer.status != http.HTTPStatus.PARTIAL_CONTENT:
            shown.begin(file.name, file.nbytes)  # The server sends all of it again.
            held = 0
        with writing(part), part.open("r+b" if held else "wb") as out:
            out.seek(held)
            brought = 0
            while brought < file.nbytes - held:
                try:
                    block = answer.read(min(_BLOCK_BYTES, file.nbytes - held - brought))
                except (OSError, http.client.HTTPException) as error:
                    raise _ConnectionLostError(brought, error) from error
                if not block:
                    raise _ConnectionLostError(brought, "it ended early")
                out.write(block)
                brought += len(block)
                shown.update(len(block))


class _ConnectionLostError(Exception):
    """A connection broke off after it had brought some bytes."""

    def __init__(self, brought: int, cause: object) -> None:
        super().__init__(str(cause) or type(cause).__name__)
        self.brought = brought


def _patiently(ask: Callable[[], Answer], url: str, pause: float) -> Answer | None:
    """What a request returns; None where it broke off after it had brought something.

    One that brings nothing is repeated; after some of them, raises `PipelineError`.
    """
    for attempt in range(_TRIES):
        try:
            return ask()
        except _ConnectionLostError as error:
            if error.brought:
                return None
            cause = str(error)
        except urllib.error.HTTPError as error:
            if error.code < http.HTTPStatus.INTERNAL_SERVER_ERROR and error.code not in _PASSING:
                raise PipelineError(
                    f"{url}: the server answers {error.code} {error.reason}; check the address, "
                    "or try again later"
                ) from None
            cause = f"the server answers {error.code} {error.reason}"
        except (OSError, http.client.HTTPException) as error:
            cause = str(getattr(error, "reason", error)) or type(error).__name__
        time.sleep(pause * 2**attempt)
    raise PipelineError(
        f"{url}: cannot be downloaded ({cause}); check the network, and run the same command "
        "again: it goes on where it stopped"
    )
