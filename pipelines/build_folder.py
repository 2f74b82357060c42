"""The folder in which a dataset is built: who may write there, and what an earlier run left.

A new dataset is built in its own folder. One that replaces another is built beside it, in
`.NAME.new`, always from the beginning, and takes its place when it is whole: the old one becomes
`.NAME.old` for that moment. What only an unfinished run needs lies in the folder `_work`, which
publishing removes.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout

from pipelines.errors import PipelineError
from schemas import Dataset, DatasetError, Storage
from schemas.manifest import MANIFEST_FILE
from schemas.names import CARD_FILES, README_FILE, README_START
from schemas.shards import SPLITS
from schemas.storage import TEMPORARY_PREFIX, sync_folder, writing
from schemas.tables import INPUTS_FILE, RECORDINGS_FILE, REJECTS_FILE

WORK_FOLDER = "_work"
PLAN_TABLE = f"{WORK_FOLDER}/plan.parquet"
CLAIM_FILE = f"{WORK_FOLDER}/plan.json"
LOCK_FILE = f"{WORK_FOLDER}/lock"
RUN_FILE = f"{WORK_FOLDER}/run.json"
REJECTS_SO_FAR = f"{WORK_FOLDER}/rejects.parquet"
WORK_FILES = (CLAIM_FILE, PLAN_TABLE, RUN_FILE, REJECTS_SO_FAR, LOCK_FILE)
_OWN_FILES = (*WORK_FILES, RECORDINGS_FILE, REJECTS_FILE, INPUTS_FILE, *CARD_FILES)
_OWN = re.compile(
    rf"({'|'.join(SPLITS)})/\d+-of-\d+\.|labels/.*\.parquet$|(.*/)?{re.escape(TEMPORARY_PREFIX)}|"
    rf"({'|'.join(map(re.escape, _OWN_FILES))})$"
)
"""Names of what a run that has not finished may leave."""


_LOCK_SECONDS = 0.2
"""How long a lock is waited for: another run may have removed its file in the moment of opening."""

Action = Literal["make", "continue", "restart", "replace"]
"""What a run does with its output: makes a new dataset, goes on with the unfinished work there or
begins it anew, or replaces the dataset there."""


def is_published(storage: Storage) -> bool:
    return storage.exists(MANIFEST_FILE)


@contextlib.contextmanager
def open_build_folder(output: str, *, overwrite: bool) -> Iterator[str]:
    """Yields the folder in which to build the dataset that `output` will hold.

    It is locked for other runs of this host until the block ends; if a dataset was published
    there by then, it has taken its place in `output`.

    Raises `PipelineError` where something is in `output` that must not be replaced.
    """
    storage = Storage(output)
    if not storage.is_local:
        if overwrite:
            raise PipelineError(f"{output}: overwrite=True needs a local disk; choose a new prefix")
        remove_leftovers(storage)
        require_unpublished(storage)
        yield output
        remove_leftovers(storage)
        return
    final = _final(storage)
    with writing(final):
        usable = final.name and (final.is_dir() or not os.path.exists(final))
    if not usable:
        raise PipelineError(f"{output}: cannot be a dataset's folder; choose another output")
    with contextlib.ExitStack() as stack:
        with writing(final.parent):
            final.parent.mkdir(parents=True, exist_ok=True)
        if stack.enter_context(_locked_beside(final, output)):
            _end_swap(final)
        remove_leftovers(storage)
        if not overwrite:
            require_unpublished(storage)
        replaces = is_published(storage)
        building = _build_beside(final) if replaces else _build_in_place(final, overwrite=overwrite)
        yield stack.enter_context(building)


@contextlib.contextmanager
def locked_dataset(output: str) -> Iterator[None]:
    """Keeps runs of this host from replacing the dataset in `output` until the block ends.

    Raises `PipelineError` while one is at work there. A dataset in a store is never replaced.
    """
    storage = Storage(output)
    if not storage.is_local:
        yield
        return
    with _locked_beside(_final(storage), output):
        yield


@contextlib.contextmanager
def _locked_beside(final: Path, output: str) -> Iterator[bool]:
    """Holds the lock beside a dataset's folder, which may itself be replaced.

    Yields whether there is one: where its parent may not be written to, the folder is never
    replaced, and the lock within it is enough.
    """
    if not os.access(final.parent, os.W_OK | os.X_OK):
        yield False
        return
    lock = final.with_name(f".{final.name}.lock")
    with contextlib.ExitStack() as stack:
        stack.enter_context(_locked(lock, output))
        stack.callback(lock.unlink, missing_ok=True)
        yield True


def planned_action(output: str, *, overwrite: bool) -> Action:
    """What a run would do with `output`; nothing is written.

    Raises `PipelineError` where `open_build_folder` would, but for another run at work there.
    """
    storage = Storage(output)
    if not storage.is_local:
        if overwrite:
            raise PipelineError(f"{output}: overwrite=True needs a local disk; choose a new prefix")
        require_unpublished(storage)
        return "continue" if storage.exists(CLAIM_FILE) else "make"
    final = _final(storage)
    _require_writable(final, output)
    swapped = Storage(_replaced(final))
    current = Storage(final)
    if is_published(swapped) and not is_published(current):
        current = swapped
    if not overwrite:
        require_unpublished(current)
    if is_published(current):
        _require_no_extra_files(current)
        _require_own_remains(_beside(final))
        return "replace"
    _require_no_foreign_files(current)
    if not current.exists(CLAIM_FILE):
        return "make"
    return "restart" if overwrite else "continue"


def _require_writable(final: Path, output: str) -> None:
    existing = next(each for each in (final, *final.parents) if os.path.exists(each))
    if not final.name or not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise PipelineError(
            f"{output}: cannot be a dataset's folder, because {existing} is not a folder that you "
            "may write to; choose another output"
        )


@contextlib.contextmanager
def _build_in_place(final: Path, *, overwrite: bool) -> Iterator[str]:
    """Yields `final`, with what an earlier run finished there, unless `overwrite`."""
    storage = Storage(final)
    _require_no_foreign_files(storage)
    with _locked(final / LOCK_FILE, storage.root):
        try:
            require_unpublished(storage)
            if overwrite:
                with writing(final):
                    _empty(final)
            _remove_temporaries(storage)
            yield storage.root
        finally:
            remove_leftovers(storage)
            if storage.list_files() == [LOCK_FILE]:
                (final / LOCK_FILE).unlink()
                (final / WORK_FOLDER).rmdir()
                # A folder that was there before may be one that cannot be removed.
                with contextlib.suppress(OSError):
                    final.rmdir()


@contextlib.contextmanager
def _build_beside(final: Path) -> Iterator[str]:
    """Yields an empty folder; if a dataset was published there by then, it replaces `final`."""
    beside, replaced = _beside(final), _replaced(final)
    _require_no_extra_files(Storage(final))
    _discard(beside)
    yield os.fspath(beside)
    storage = Storage(beside)
    if is_published(storage):
        remove_leftovers(storage)
        _require_no_extra_files(Storage(final))
        with writing(final):
            final.rename(replaced)
            beside.rename(final)
            sync_folder(final.parent)
        _discard(replaced)


def _final(storage: Storage) -> Path:
    """The folder of a dataset: renaming takes the one that a link leads to, not the link."""
    return Path(os.path.realpath(storage.local_path()))


def _beside(final: Path) -> Path:
    return final.with_name(f".{final.name}.new")


def _replaced(final: Path) -> Path:
    return final.with_name(f".{final.name}.old")


def _end_swap(final: Path) -> None:
    """Brings a dataset that a run was replacing when it was killed back to its place.

    Where the new one has taken its place already, what is left of the old one is removed.
    """
    replaced = _replaced(final)
    if is_published(Storage(replaced)) and not is_published(Storage(final)):
        try:
            replaced.rename(final)
        except OSError:
            raise PipelineError(
                f"{final}: other files lie where a dataset was being replaced; move them away, "
                f"or the dataset, which is in {replaced}"
            ) from None
        sync_folder(final.parent)
    _discard(replaced)


def _discard(folder: Path) -> None:
    """Removes a folder of ours, if it is there; no part of it passes for a dataset meanwhile."""
    _require_own_remains(folder)
    Storage(folder).remove(MANIFEST_FILE)
    if os.path.exists(folder):
        with writing(folder):
            shutil.rmtree(folder)


def _require_own_remains(folder: Path) -> None:
    """A folder beside a dataset that is replaced may hold only what runs leave there."""
    names = [folder.name] if folder.is_file() else Storage(folder).list_files()
    foreign = [name for name in names if not (name == MANIFEST_FILE or _OWN.match(name))]
    if foreign:
        raise PipelineError(
            f"{folder}: is where a dataset is replaced, and holds other files (there is "
            f"{foreign[0]}); move it elsewhere"
        )


def replacement_folder(output: str) -> str:
    """The folder in which the replacement of the dataset in `output` is built."""
    return os.fspath(_beside(_final(Storage(output))))


def remove_leftovers(storage: Storage) -> None:
    """Removes, from a published dataset, what only the run needed."""
    if not is_published(storage):
        return
    _remove_temporaries(storage)
    for name in WORK_FILES:
        storage.remove(name)
    if storage.is_local:
        with contextlib.suppress(OSError):
            storage.local_path(WORK_FOLDER).rmdir()


def _remove_temporaries(storage: Storage) -> None:
    """Removes what processes that were killed had half written."""
    for name in storage.list_files():
        if name.rpartition("/")[2].startswith(TEMPORARY_PREFIX):
            storage.remove(name)


def require_unpublished(storage: Storage) -> None:
    if is_published(storage):
        raise PipelineError(
            f"{storage.root}: holds a dataset already; {starting_over(storage)} to replace it, or "
            "choose another output"
        )


def starting_over(storage: Storage) -> str:
    """What a message advises to someone who wants to begin anew: a store takes no `overwrite`."""
    return "use overwrite=True" if storage.is_local else "remove the folder"


def _require_no_foreign_files(storage: Storage) -> None:
    """A folder without a dataset must be empty, or hold what an unfinished run leaves."""
    names = storage.list_files()
    foreign = names if LOCK_FILE not in names else [name for name in names if not _OWN.match(name)]
    if README_FILE in names and not storage.read_bytes(README_FILE).startswith(README_START):
        foreign.append(README_FILE)
    if foreign:
        raise PipelineError(
            f"{storage.root}: is not empty and holds no dataset (there is {foreign[0]}); "
            "choose an empty or a new folder for the output"
        )


def _require_no_extra_files(storage: Storage) -> None:
    """A dataset may be replaced where nothing else lies in its folder."""
    try:
        dataset = Dataset(storage.root)
    except DatasetError as error:
        raise PipelineError(
            f"{error}; which files here are the dataset's is unknown: move or remove the "
            "folder, or choose another output"
        ) from None
    extra = sorted(set(storage.list_files()) - set(dataset.manifest.files) - {MANIFEST_FILE})
    if extra:
        raise PipelineError(
            f"{storage.root}: {extra[0]} does not belong to the dataset that overwrite=True is to "
            "replace; move it elsewhere first"
        )


@contextlib.contextmanager
def _locked(path: Path, output: str) -> Iterator[None]:
    """Holds the lock that a file is; a process that dies, however, releases it."""
    if path.exists() and path.stat().st_size:
        raise PipelineError(f"{path}: is in the way of a lock; move it elsewhere")
    # A lock that others than the system keep would outlive a process that is killed.
    lock = FileLock(path, fallback_to_soft=False)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=_LOCK_SECONDS, poll_interval=_LOCK_SECONDS / 10)
        except Timeout:
            raise PipelineError(
                f"{output}: another run is writing here; wait for it, or choose another output"
            ) from None
    try:
        yield
    finally:
        lock.release()


def _empty(folder: Path) -> None:
    """Removes everything in a folder but the lock that is held."""
    for path in folder.iterdir():
        if path.name != WORK_FOLDER:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in (folder / WORK_FOLDER).iterdir():
        if path.name != Path(LOCK_FILE).name:
            path.unlink()
