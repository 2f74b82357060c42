import dataclasses
import json
import re
import shutil
import struct
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import pyarrow as pa
import pytest

from pipelines.build_folder import WORK_FILES
from pipelines.verification.accounting import Account
from pipelines.verification.defects import Defect
from pipelines.verification.verify import verify
from schemas import Dataset, Storage
from schemas.checksums import canonical_json, crc32c, sha256
from schemas.codecs.tfrecord import frame_record
from schemas.manifest import MANIFEST_FILE, FileEntry, Manifest, spelled
from schemas.rejects import RejectReason, RejectStage
from schemas.shards import SPLITS, ShardIndex, index_file
from schemas.statistics import Statistics
from schemas.tables import RECORDINGS, labeled_recording, labels_file, table_bytes
from tests.support.rejects import reject_of


def reseal(root: Path, *changed: str) -> None:
    """Makes a manifest that vouches for the changed files, as a careless editor would."""
    manifest = Dataset(root).manifest
    files = dict(manifest.files)
    for name in changed:
        data = (root / name).read_bytes()
        files[name] = FileEntry.of(data)
    values = {**vars(manifest), "files": files}
    (root / MANIFEST_FILE).write_bytes(Manifest(**values).to_bytes())


@pytest.fixture
def copy(tiny_dataset: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_dataset, tmp_path / "copy")


def shard(root: Path, file_format: str, number: int = 0) -> str:
    return Dataset(root).shards("train", file_format)[number]


def names(rows: Iterable[Mapping[str, Any]]) -> tuple[Any, ...]:
    """Windows as a defect names them."""
    return tuple((row["recording_id"], row["first_frame"]) for row in rows)


def rows_of(root: Path, name: str) -> list[dict[str, Any]]:
    return Dataset(root).index(name).table.to_pylist()


def told(root: Path) -> list[str]:
    return [defect.problem for defect in verify(str(root)).defects]


def test_a_sound_dataset_has_no_defects(tiny_dataset: Path) -> None:
    found = verify(str(tiny_dataset))
    assert found.defects == ()
    assert found.windows > 10
    assert "sound" in found.summary()


def test_every_sample_of_a_sound_dataset_is_counted(tiny_dataset: Path) -> None:
    dataset, found = Dataset(tiny_dataset), verify(str(tiny_dataset))
    config = dataset.config
    rows = dataset.recordings().to_pylist()
    lengths = [config.resampled_length(row["samples"], row["sample_rate"]) for row in rows]
    held = found.windows * config.window_frames * config.hop_length
    assert found.samples == Account(sum(lengths), sum(lengths), padding=held - sum(lengths))
    assert f"{sum(lengths):,} in windows, 0 in rejected windows, 0 dropped" in found.summary()
    assert found.rejected_recordings == 0


def test_no_dataset_is_one_defect(tmp_path: Path) -> None:
    (defect,) = verify(str(tmp_path)).defects
    assert defect.file == MANIFEST_FILE
    assert defect.windows is None
    assert "no whole dataset here" in defect.problem
    assert f"{tmp_path}" not in defect.problem


@pytest.mark.parametrize(
    ("windows", "text"),
    [
        (None, "every window"),
        ((), "no window"),
        ((("101", 430),), "1 window: 101 at 430"),
        ((("101", 0), ("9", 8), ("101", 430)), "3 windows: 101 at 0, 9 at 8, 101 at 430"),
        ((("101", 0),) * 1_234, "1,234 windows: 101 at 0, 101 at 0, 101 at 0, ..."),
    ],
)
def test_a_defect_is_a_readable_line(windows: tuple[Any, ...] | None, text: str) -> None:
    assert str(Defect("train/x.h5", "is missing", windows)) == (
        f"train/x.h5: is missing; concerns {text}"
    )


def flip(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 0x10]) + data[middle + 1 :]


def cut(data: bytes) -> bytes:
    return data[:-7]


def lengthen(data: bytes) -> bytes:
    return data + b"more"


def remove(_: bytes) -> None:
    return None


@pytest.mark.parametrize("damage", [flip, cut, lengthen, remove])
@pytest.mark.parametrize(
    ("name", "concerned"),
    [
        (MANIFEST_FILE, lambda root: None),
        ("recordings.parquet", lambda root: None),
        ("rejects.parquet", lambda root: ()),
        ("labels/103.parquet", lambda root: of_recording(root, "103")),
        ("train/00000.tfrecord.index.parquet", lambda root: of_shard(root, "tfrecord")),
        ("train/00001.h5.index.parquet", lambda root: of_shard(root, "hdf5", 1)),
    ],
)
def test_damage_to_a_table_is_found_and_says_which_windows_it_concerns(
    tiny_dataset: Path,
    copy: Path,
    name: str,
    concerned: Callable[..., Any],
    damage: Callable[..., Any],
) -> None:
    count = len(Dataset(copy).shards("train", "hdf5"))
    path = copy / re.sub(r"(\d{5})\.(h5|tf)", rf"\1-of-{count:05d}.\2", name)
    data = damage(path.read_bytes())
    path.unlink() if data is None else path.write_bytes(data)
    (defect,) = verify(str(copy)).defects
    assert defect.file == path.relative_to(copy).as_posix()
    expected = concerned(tiny_dataset)
    assert (defect.windows and set(defect.windows)) == (expected and set(expected))


def of_shard(root: Path, file_format: str, number: int = 0) -> tuple[Any, ...]:
    return names(rows_of(root, shard(root, file_format, number)))


def of_recording(root: Path, recording_id: str) -> tuple[Any, ...]:
    dataset = Dataset(root)
    shards = (name for split in SPLITS for name in dataset.shards(split, "hdf5"))
    every = (row for name in shards for row in rows_of(root, name))
    return names(row for row in every if row["recording_id"] == recording_id)


@pytest.mark.parametrize("file_format", ["tfrecord", "hdf5"])
@pytest.mark.parametrize("name", ["log_mel", "waveform", "notes", "onsets"])
def test_a_damaged_feature_concerns_its_window(copy: Path, file_format: str, name: str) -> None:
    path = copy / shard(copy, file_format)
    row = rows_of(copy, shard(copy, file_format))[1]
    data = bytearray(path.read_bytes())
    data[row[f"{name}_offset"] + 3] ^= 1
    path.write_bytes(data)
    (defect,) = verify(str(copy)).defects
    assert defect.windows == names([row])
    assert f"its {name} fails its checksum" in defect.problem


def spans(data: bytes) -> list[tuple[int, int]]:
    """The records of a TFRecord file, first byte and one past the last."""
    found, start = [], 0
    while start < len(data):
        (length,) = struct.unpack_from("<Q", data, start)
        found.append((start, start + length + 16))
        start = found[-1][1]
    return found


@pytest.mark.parametrize("place", ["length", "crc of the length", "key", "crc of the data"])
def test_damaged_framing_concerns_its_window_and_hides_no_other_damage(
    copy: Path, place: str
) -> None:
    name = shard(copy, "tfrecord")
    data = bytearray((copy / name).read_bytes())
    for start, stop in (spans(bytes(data))[0], spans(bytes(data))[2]):
        key = data.index(b"first_frame", start)
        at = {"length": start, "crc of the length": start + 9, "key": key + 2}.get(place, stop - 1)
        data[at] ^= 0x40
    (copy / name).write_bytes(data)
    (defect,) = verify(str(copy)).defects
    rows = rows_of(copy, name)
    assert defect.windows == names([rows[0], rows[2]])
    assert "2 of its" in defect.problem
    assert "first record at byte 0: its framing is damaged" in defect.problem


def test_another_first_frame_within_a_record_is_found(copy: Path) -> None:
    name = shard(copy, "tfrecord")
    rows = rows_of(copy, name)
    data = bytearray((copy / name).read_bytes())
    start, stop = spans(bytes(data))[1]
    at = data.index(b"valid_frames", start, stop) + len(b"valid_frames") + 6
    assert data[at] == rows[1]["valid_frames"]
    data[at] ^= 1
    (copy / name).write_bytes(data)
    (defect,) = verify(str(copy)).defects
    assert defect.windows == names([rows[1]])


def test_damaged_structure_of_an_hdf5_shard_concerns_all_its_windows(copy: Path) -> None:
    name = shard(copy, "hdf5")
    with h5py.File(copy / name, "r+") as file:
        file["valid_frames"][0] += 1
    (defect,) = verify(str(copy)).defects
    assert defect.windows == names(rows_of(copy, name))
    assert "outside the windows' features" in defect.problem


def test_a_short_shard_concerns_the_windows_whose_bytes_are_gone(copy: Path) -> None:
    name = shard(copy, "tfrecord")
    data = (copy / name).read_bytes()
    start, _ = spans(data)[-2]
    (copy / name).write_bytes(data[: start + 5])
    (defect,) = verify(str(copy)).defects
    assert defect.windows == names(rows_of(copy, name)[-2:])
    assert defect.problem.startswith(f"has {start + 5:,} bytes instead of {len(data):,}; 2 of its")


@pytest.mark.parametrize("file_format", ["tfrecord", "hdf5"])
def test_bytes_behind_a_shard_concern_no_window(copy: Path, file_format: str) -> None:
    name = shard(copy, file_format)
    with (copy / name).open("ab") as file:
        file.write(b"".join(frame_record([b"more"])))
    assert verify(str(copy)).defects == (Defect(name, "20 bytes too many at its end", ()),)


@pytest.mark.parametrize("file_format", ["tfrecord", "hdf5"])
def test_a_missing_shard_concerns_its_windows(copy: Path, file_format: str) -> None:
    name = shard(copy, file_format)
    windows = names(rows_of(copy, name))
    (copy / name).unlink()
    assert verify(str(copy)).defects == (Defect(name, "is missing", windows),)


@pytest.mark.parametrize("file_format", ["tfrecord", "hdf5"])
def test_without_an_index_damage_concerns_all_windows(copy: Path, file_format: str) -> None:
    name = shard(copy, file_format)
    windows = names(rows_of(copy, name))
    (copy / name).write_bytes(flip((copy / name).read_bytes()))
    (copy / index_file(name)).unlink()
    defects = verify(str(copy)).defects
    assert [defect.file for defect in defects] == [index_file(name), name]
    assert all(defect.windows == windows for defect in defects)


@pytest.mark.parametrize("file_format", ["tfrecord", "hdf5"])
def test_without_the_plan_an_index_still_tells_the_windows(copy: Path, file_format: str) -> None:
    name = shard(copy, file_format)
    row = rows_of(copy, name)[0]
    data = bytearray((copy / name).read_bytes())
    data[row["notes_offset"]] ^= 1
    (copy / name).write_bytes(data)
    (copy / "recordings.parquet").unlink()
    lost, damaged = verify(str(copy)).defects
    assert (lost.file, lost.windows) == ("recordings.parquet", None)
    assert (damaged.file, damaged.windows) == (name, names([row]))


@pytest.mark.parametrize("file_format", ["tfrecord", "hdf5"])
def test_swapped_shards_are_found(copy: Path, file_format: str) -> None:
    first, second = (shard(copy, file_format, number) for number in (0, 1))
    swap(copy, first, second)
    assert verify(str(copy)).defects == (
        Defect(first, f"holds the bytes of {second}", names(rows_of(copy, first))),
        Defect(second, f"holds the bytes of {first}", names(rows_of(copy, second))),
    )


def test_swapped_shards_are_found_even_where_the_digests_agree(copy: Path) -> None:
    shards = [shard(copy, "tfrecord", number) for number in (0, 1)]
    windows = [names(rows_of(copy, name)) for name in shards]
    swap(copy, *shards)
    swap(copy, *map(index_file, shards))
    assert len(verify(str(copy)).defects) == 4
    reseal(copy, *shards, *map(index_file, shards))
    for name, expected in zip(shards, windows, strict=True):
        text = "its index does not list the windows that belong there"
        assert Defect(name, text, expected) in verify(str(copy)).defects


def swap(root: Path, first: str, second: str) -> None:
    data = (root / first).read_bytes()
    (root / first).write_bytes((root / second).read_bytes())
    (root / second).write_bytes(data)


def test_what_a_run_leaves_whose_launcher_was_gone_is_no_defect(copy: Path) -> None:
    for name in WORK_FILES:
        Storage(copy).write_bytes(name, b"")
    assert verify(str(copy)).defects == ()
    Storage(copy).write_bytes("_work/other", b"")
    assert [defect.file for defect in verify(str(copy)).defects] == ["_work/other"]


def test_extra_files_are_found(copy: Path) -> None:
    (copy / "train" / "more.h5").write_text("x")
    assert verify(str(copy)).defects == (
        Defect("train/more.h5", "does not belong to the dataset; remove it", ()),
    )


def test_a_shard_that_the_manifest_does_not_list_is_found(copy: Path) -> None:
    name, manifest = shard(copy, "hdf5"), Dataset(copy).manifest
    files = {each: entry for each, entry in manifest.files.items() if each != name}
    (copy / MANIFEST_FILE).write_bytes(Manifest(**{**vars(manifest), "files": files}).to_bytes())
    assert (
        Defect(name, "is not listed in dataset.json", names(rows_of(copy, name)))
        in verify(str(copy)).defects
    )


@pytest.mark.parametrize(
    ("old", "new"), [(b"1e-10", b"1E-10"), (b'"seed": 0', b'"seed":  0'), (b"}\n", b"}\n\n")]
)
def test_a_manifest_that_is_spelled_otherwise_is_found(copy: Path, old: bytes, new: bytes) -> None:
    """Its digest, which is of what it says, cannot tell."""
    path = copy / MANIFEST_FILE
    path.write_bytes(path.read_bytes().replace(old, new))
    (defect,) = verify(str(copy)).defects
    assert (defect.file, defect.windows) == (MANIFEST_FILE, None)
    assert "not spelled as it was written" in defect.problem


def test_a_file_that_cannot_be_read_is_a_defect(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = shard(copy, "hdf5")
    open_file = Storage.open

    def broken(storage: Storage, opened: str) -> BinaryIO:
        if opened == name:
            raise OSError("Input/output error")
        return open_file(storage, opened)

    monkeypatch.setattr(Storage, "open", broken)
    windows = names(rows_of(copy, name))
    assert verify(str(copy)).defects == (Defect(name, "Input/output error", windows),)


def test_formats_that_differ_are_found_even_where_the_digests_agree(copy: Path) -> None:
    name = shard(copy, "hdf5")
    with h5py.File(copy / name, "r+") as file:
        file["log_mel"][0, 0, 0] += 1
    reseal(copy, name)
    (defect,) = verify(str(copy)).defects
    assert defect.windows == names(rows_of(copy, name)[:1])
    assert "its log_mel fails its checksum" in defect.problem


def test_windows_named_otherwise_within_a_file_are_found(copy: Path) -> None:
    name = shard(copy, "hdf5")
    with h5py.File(copy / name, "r+") as file:
        file["first_frame"][0] += 1
    reseal(copy, name)
    windows = names(rows_of(copy, name))
    assert verify(str(copy)).defects == (
        Defect(name, "names other windows than its index", windows),
    )


def test_a_shard_that_h5py_cannot_read_is_a_defect(copy: Path) -> None:
    name = shard(copy, "hdf5")
    data = bytearray((copy / name).read_bytes())
    data[:8] = b"nonsense"
    (copy / name).write_bytes(data)
    reseal(copy, name)
    (defect,) = verify(str(copy)).defects
    assert defect.windows == names(rows_of(copy, name))
    assert "is not a readable HDF5 shard" in defect.problem


def more(statistics: Statistics) -> Statistics:
    return dataclasses.replace(statistics, count=statistics.count + 1)


@pytest.mark.parametrize(
    ("field", "edit", "problem"),
    [
        ("fingerprint", lambda _: "0" * 64, "the fingerprint is not that of the windows"),
        ("plan_digest", lambda _: "0" * 64, "its plan is not that of recordings.parquet"),
        ("statistics", more, "the statistics are not those of the training shards"),
        (
            "splits",
            lambda splits: {**splits, "test": dataclasses.replace(splits["test"], windows=99)},
            "counts 99 windows in test",
        ),
    ],
)
def test_figures_of_the_manifest_are_recomputed(
    copy: Path, field: str, edit: Callable[..., Any], problem: str
) -> None:
    manifest = Dataset(copy).manifest
    values = {**vars(manifest), field: edit(getattr(manifest, field))}
    (copy / MANIFEST_FILE).write_bytes(Manifest(**values).to_bytes())
    assert Defect(MANIFEST_FILE, problem, None) in verify(str(copy)).defects


def edit_index(root: Path, name: str, edit: Callable[[ShardIndex], ShardIndex]) -> None:
    """Writes the index of a shard again, changed, with a manifest that vouches for it."""
    index = edit(Dataset(root).index(name))
    (root / index_file(name)).write_bytes(index.to_bytes())
    reseal(root, index_file(name))


def report_with(**changed: Any) -> Callable[[ShardIndex], ShardIndex]:
    return lambda index: ShardIndex(index.table, dataclasses.replace(index.report, **changed))


@pytest.mark.parametrize("file_format", ["tfrecord", "hdf5"])
@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"statistics": Statistics.zero(20)}, "its statistics are not those of its windows"),
        ({"windows": 1}, "its report counts 1 windows of"),
        ({"plan_digest": "x"}, "was written for another plan"),
        (
            {
                "rejects": (
                    reject_of("101", RejectReason.NOT_FINITE, stage=RejectStage.WINDOW, position=0),
                )
            },
            "lacks windows that a shard rejected",
        ),
    ],
)
def test_figures_of_a_report_are_recomputed(
    copy: Path, file_format: str, changed: dict[str, Any], problem: str
) -> None:
    edit_index(copy, shard(copy, file_format), report_with(**changed))
    assert any(problem in each for each in told(copy))


def test_formats_are_held_against_each_other(copy: Path) -> None:
    """Both the shard and its index are changed, so that each format is sound by itself."""
    name = shard(copy, "hdf5")
    row = Dataset(copy).index(name).table.to_pylist()[0]
    data = bytearray((copy / name).read_bytes())
    data[row["onsets_offset"]] ^= 1
    (copy / name).write_bytes(data)
    crc = crc32c(bytes(data[row["onsets_offset"] :][: row["onsets_length"]]))

    def vouch(index: ShardIndex) -> ShardIndex:
        rows = index.table.to_pylist()
        rows[0]["onsets_crc32c"] = crc
        return ShardIndex(pa.Table.from_pylist(rows, index.table.schema), index.report)

    edit_index(copy, name, vouch)
    reseal(copy, name)
    assert verify(str(copy)).defects[-1] == Defect(
        name,
        f"differs from {shard(copy, 'tfrecord')} in its windows' bytes or order",
        names(rows_of(copy, name)),
    )


def test_a_record_that_no_index_knows_is_found(copy: Path) -> None:
    name = shard(copy, "tfrecord")
    with (copy / name).open("ab") as file:
        file.write(b"".join(frame_record([b"more"])))
    reseal(copy, name)
    assert verify(str(copy)).defects == (Defect(name, "20 bytes too many at its end", ()),)


def edit_recordings(root: Path, **changed: object) -> None:
    """Changes the first recording's row, with a manifest that vouches for it."""
    rows = Dataset(root).recordings().to_pylist()
    rows[0] |= changed
    table = pa.Table.from_pylist(rows, RECORDINGS)
    (root / "recordings.parquet").write_bytes(table_bytes(table))
    reseal(root, "recordings.parquet")


def test_counts_of_recordings_are_recomputed(copy: Path) -> None:
    edit_recordings(copy, clipped_samples=7)
    text = "its counts are not those of the shards"
    assert Defect("recordings.parquet", text, None) in verify(str(copy)).defects


def test_samples_that_are_not_accounted_for_are_found(copy: Path) -> None:
    edit_recordings(copy, dropped_samples=5)
    found = verify(str(copy))
    (defect,) = [each for each in found.defects if "recording 101" in each.problem]
    assert set(defect.windows or ()) == set(of_recording(copy, "101"))
    assert found.samples is not None
    assert not found.samples.balances


def test_a_recording_that_is_rejected_for_no_reason_is_found(copy: Path) -> None:
    edit_recordings(copy, split=None, status="rejected")
    text = "does not say why recording 101 was rejected"
    assert Defect("rejects.parquet", text, ()) in verify(str(copy)).defects


def test_a_missing_index_is_no_difference_between_formats(copy: Path) -> None:
    name = index_file(shard(copy, "tfrecord"))
    (copy / name).unlink()
    found = verify(str(copy))
    assert [defect.file for defect in found.defects] == [name]
    assert found.samples is not None


@pytest.mark.parametrize("name", ["labels/102.parquet", "an index"])
def test_without_the_plan_the_indexes_tell_the_windows_of_a_table(copy: Path, name: str) -> None:
    """Either format's index says what belongs in both of its shards."""
    if name == "an index":
        name, windows = index_file(shard(copy, "hdf5")), of_shard(copy, "hdf5")
    else:
        windows = of_recording(copy, "102")
    (copy / "recordings.parquet").unlink()
    (copy / name).unlink()
    assert Defect("recordings.parquet", "is missing", None) in verify(str(copy)).defects
    (defect,) = [each for each in verify(str(copy)).defects if each.file == name]
    assert set(defect.windows or ()) == set(windows)


def test_where_nothing_tells_every_window_is_concerned(copy: Path) -> None:
    lost = [index_file(shard(copy, each)) for each in ("tfrecord", "hdf5")]
    lost += ["recordings.parquet", "labels/102.parquet"]
    for name in lost:
        (copy / name).unlink()
    defects = verify(str(copy)).defects
    assert {defect.file for defect in defects} == set(lost)
    assert all(defect.windows is None for defect in defects)


def test_rows_of_partial_recordings_are_recomputed(copy: Path) -> None:
    rows = Dataset(copy).recordings().to_pylist()
    rows[0] |= {"status": "partial", "clipped_samples": 7}
    (copy / "recordings.parquet").write_bytes(table_bytes(pa.Table.from_pylist(rows, RECORDINGS)))
    reseal(copy, "recordings.parquet")
    assert "its counts are not those of the shards" in told(copy)


def test_a_manifest_that_vouches_for_itself_and_lacks_something_is_a_defect(copy: Path) -> None:
    body = json.loads((copy / MANIFEST_FILE).read_text())
    del body["splits"], body["digest"]
    body["digest"] = sha256(canonical_json(body))
    (copy / MANIFEST_FILE).write_bytes(spelled(body))
    assert told(copy) == ["lacks what a manifest says: KeyError('splits')"]


def test_labels_of_an_earlier_spelling_are_known_by_their_recording() -> None:
    for recording_id in ("1727", "é'1", "a%b/c", "x y"):
        assert labeled_recording(labels_file(recording_id)) == recording_id
    assert labeled_recording("labels/%C3%A9%271.parquet") == "é'1"
    assert labeled_recording("train/00000-of-00001.h5") is None
