import contextlib
import errno
import os
import pickle
import resource
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from schemas import DatasetError, Storage, StoreError
from schemas.errors import UnreadableFileError
from schemas.storage import object_stores
from tests.support.descriptors import open_files


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(tmp_path)


@pytest.mark.parametrize("kind", ["local", "memory"])
def test_what_was_written_can_be_read_listed_and_removed(kind: str, tmp_path: Path) -> None:
    storage = Storage(tmp_path if kind == "local" else f"memory://{uuid.uuid4().hex}")
    storage.write_bytes("a/b.bin", b"0123456789")
    with storage.create_seekable("c.bin") as file:
        file.write(b"abd")
        file.seek(2)
        file.write(b"c")
    assert storage.list_files() == ["a/b.bin", "c.bin"]
    assert storage.read_bytes("a/b.bin") == b"0123456789"
    assert storage.list_folder() == (["c.bin"], ["a"])
    assert storage.list_folder("a") == (["a/b.bin"], [])
    assert storage.list_folder("missing") == ([], [])
    ranges = storage.open_ranges("a/b.bin")
    assert (ranges.read(2, 3), ranges.read(8, 5)) == (b"234", b"89")
    ranges.close()
    with storage.open("a/b.bin") as file:
        file.seek(4)
        assert file.read(2) == b"45"
    storage.remove("a")
    storage.remove("a")
    assert storage.list_files() == ["c.bin"]


def test_a_file_appears_only_when_it_is_whole(storage: Storage) -> None:
    with storage.create("x.bin") as file:
        file.write(b"half")
        assert not storage.exists("x.bin")
    assert storage.list_files() == ["x.bin"]


def test_a_file_that_fails_leaves_the_old_one(storage: Storage) -> None:
    storage.write_bytes("x.bin", b"old")
    with contextlib.suppress(RuntimeError), storage.create("x.bin") as file:
        file.write(b"new")
        raise RuntimeError
    assert storage.read_bytes("x.bin") == b"old"
    assert storage.list_files() == ["x.bin"]


def test_a_file_that_cannot_grow_is_named_with_cause_and_remedy(storage: Storage) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        for length in (10_001, 1_000_000):
            expected = r"a/x\.bin: cannot be written: file too large; raise the limit .* again"
            with pytest.raises(DatasetError, match=expected):
                storage.write_bytes("a/x.bin", bytes(length))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert storage.list_files() == []


def test_a_read_error_is_not_called_a_write_error(storage: Storage) -> None:
    with pytest.raises(OSError, match="medium"), storage.create("x.bin"):
        raise OSError(errno.EIO, "medium error")


def test_a_file_where_a_folder_should_be_is_named(storage: Storage) -> None:
    storage.write_bytes("a", b"")
    with pytest.raises(DatasetError, match=r"a/b: cannot be written: (not a|file e)"):
        storage.write_bytes("a/b", b"")


def test_a_version_changes_with_the_file(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    storage.write_bytes("x", b"one")
    before = storage.version("x")
    os.utime(tmp_path / "x", (1, 1))
    assert storage.version("x") != before


def test_the_version_of_a_link_is_that_of_its_file(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    storage.write_bytes("x", b"one")
    (tmp_path / "link").symlink_to(tmp_path / "x")
    assert storage.version("link") == storage.version("x")
    assert storage.versions(["link"]) == [storage.version("x")]


@pytest.mark.parametrize("url", ["s3://bucket/folder", "gs://bucket/folder"])
def test_opening_a_store_changes_nothing_for_other_code(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3fs, gcsfs = pytest.importorskip("s3fs"), pytest.importorskip("gcsfs")
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:9")
    monkeypatch.delenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", raising=False)
    before = s3fs.S3FileSystem.retries, dict(os.environ)
    object_stores._store.cache_clear()
    filesystem, path = object_stores.open_store(url)
    assert path == "bucket/folder"
    theirs = {"s3": s3fs.S3FileSystem, "gs": gcsfs.core.GCSFileSystem}[url[:2]]()
    assert theirs is not filesystem
    assert (s3fs.S3FileSystem.retries, dict(os.environ)) == before
    object_stores._store.cache_clear()


@pytest.mark.parametrize("kind", ["local", "memory"])
def test_another_process_gets_the_same_folder(kind: str, tmp_path: Path) -> None:
    storage = Storage(tmp_path if kind == "local" else f"memory://{uuid.uuid4().hex}")
    storage.write_bytes("x", b"1")
    assert pickle.loads(pickle.dumps(storage)).read_bytes("x") == b"1"


def test_another_process_retries_as_often() -> None:
    pytest.importorskip("s3fs")
    object_stores._store.cache_clear()
    text = pickle.dumps(Storage("s3://bucket/folder"))
    object_stores._store.cache_clear()
    folder = pickle.loads(text)._folder
    assert folder._filesystem is object_stores.open_store("s3://bucket/folder")[0]
    assert folder._filesystem.retries == 1
    object_stores._store.cache_clear()


def test_missing_files_are_named(storage: Storage) -> None:
    for read in (storage.read_bytes, storage.open, storage.open_ranges):
        with pytest.raises(DatasetError, match=r"nothing\.bin: no such file"):
            read("nothing.bin")


def test_folders_are_not_files(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    storage = Storage(tmp_path)
    for read in (
        storage.open,
        storage.read_bytes,
        lambda name: storage.open_ranges(name).read(0, 1),
    ):
        with pytest.raises(UnreadableFileError, match="folder: is a folder, not a file"):
            read("folder")


def test_a_failing_disk_is_named_however_it_is_read() -> None:
    """Reading one's own memory at address 0 fails as a disk does."""
    storage = Storage("/proc/self")
    reads: list[Callable[[], object]] = [
        lambda: storage.read_bytes("mem"),
        lambda: storage.open("mem").read(10),
        lambda: storage.open_ranges("mem").read(0, 10),
    ]
    for read in reads:
        with pytest.raises(UnreadableFileError, match=r"^/proc/self/mem: input/output error$"):
            read()


def test_only_a_local_disk_has_local_paths() -> None:
    with pytest.raises(DatasetError, match="needs a folder on a local disk"):
        Storage("memory://x").local_path()


def test_no_part_of_a_path_is_interpreted(tmp_path: Path) -> None:
    for name in ("a::b", "memory::c", "[d]*", "~"):
        Storage(tmp_path / name).write_bytes("x", b"1")
        assert (tmp_path / name / "x").read_bytes() == b"1"
        assert Storage(tmp_path / name).list_files() == ["x"]
        Storage(tmp_path / name).remove("x")
        assert not (tmp_path / name / "x").exists()


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    storage = Storage(tmp_path)
    for read in (storage.open, storage.read_bytes, storage.open_ranges):
        with pytest.raises(DatasetError, match="pipe: is a pipe or a device"):
            read("pipe")


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (errno.ESTALE, "check the disk"),
        (errno.EBADF, "leave open the files that this process opened"),
        (errno.EMFILE, r"raise the limit of open files \(ulimit -n\)"),
        (errno.ENOMEM, "free some memory"),
    ],
)
def test_what_a_system_fails_at_for_a_moment_is_not_the_files_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, remedy: str
) -> None:
    def fail(*_: object, **options: object) -> None:
        raise OSError(code, os.strerror(code))

    storage = Storage(tmp_path)
    storage.write_bytes("x", b"123")
    ranges = storage.open_ranges("x")
    with monkeypatch.context() as patch:
        patch.setattr(os, "pread", fail)
        with pytest.raises(StoreError, match=f"/x: .*; {remedy}, then run the same command again"):
            ranges.read(0, 3)
        patch.setattr("schemas.storage.local._Descriptor", fail)
        with pytest.raises(StoreError, match="/x: "):
            storage.open_ranges("x")
    assert ranges.read(0, 3) == b"123"
    ranges.close()


def test_ranges_are_closed_once_by_whoever_lets_go_of_them(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    storage.write_bytes("x", b"123")
    before = open_files()
    closed, dropped = storage.open_ranges("x"), storage.open_ranges("x")
    closed.close()
    other = os.open(tmp_path / "x", os.O_RDONLY)  # It has the number that was closed.
    closed.close()
    del closed, dropped
    assert os.pread(other, 3, 0) == b"123"
    os.close(other)
    assert open_files() == before


def test_a_path_may_be_bytes_and_anything_else_is_rejected(tmp_path: Path) -> None:
    Storage(tmp_path).write_bytes("a", b"b")
    for path in (tmp_path, str(tmp_path), bytes(tmp_path)):
        assert Storage(path).read_bytes("a") == b"b"
    for wrong in (None, 3, ["a"], tmp_path.stat):
        with pytest.raises(DatasetError, match="is not a path"):
            Storage(wrong)  # type: ignore[arg-type]
