import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import pyarrow as pa
import pytest

from pipelines.verify import verify
from schemas import Dataset
from schemas.checksums import crc32c, sha256
from schemas.manifest import MANIFEST_FILE, FileEntry, Manifest
from schemas.shards import Reject, ShardIndex, index_file
from schemas.statistics import Statistics
from schemas.tables import RECORDINGS, table_bytes
from schemas.tfrecord import frame_record


def reseal(root: Path, *changed: str) -> None:
    """Makes a manifest that vouches for the changed files, as a careless editor would."""
    manifest = Dataset(root).manifest
    files = dict(manifest.files)
    for name in changed:
        data = (root / name).read_bytes()
        files[name] = FileEntry(sha256(data), len(data))
    values = {**vars(manifest), "files": files}
    (root / MANIFEST_FILE).write_bytes(Manifest(**values).to_bytes())


@pytest.fixture
def copy(tiny_dataset: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_dataset, tmp_path / "copy")


def shard(root: Path, file_format: str, number: int = 0) -> str:
    return Dataset(root).shards("train", file_format)[number]


def test_a_sound_dataset_has_no_defects(tiny_dataset: Path) -> None:
    found = verify(str(tiny_dataset))
    assert found.defects == ()
    assert found.windows > 10
    assert "sound" in found.summary()


def test_no_dataset_is_one_defect(tmp_path: Path) -> None:
    (defect,) = verify(str(tmp_path)).defects
    assert "no whole dataset here" in defect


def flip(root: Path, name: str) -> None:
    data = bytearray((root / name).read_bytes())
    data[len(data) // 2] ^= 0x10
    (root / name).write_bytes(data)


def cut(root: Path, name: str) -> None:
    (root / name).write_bytes((root / name).read_bytes()[:-7])


def delete(root: Path, name: str) -> None:
    (root / name).unlink()


@pytest.mark.parametrize("damage", [flip, cut, delete])
def test_damage_to_any_file_is_found_and_named(
    copy: Path, damage: Callable[[Path, str], None]
) -> None:
    names = [MANIFEST_FILE, *Dataset(copy).manifest.files]
    for name in names:
        whole = (copy / name).read_bytes()
        damage(copy, name)
        defects = verify(str(copy)).defects
        assert any(name in defect for defect in defects), name
        (copy / name).write_bytes(whole)
    assert verify(str(copy)).defects == ()


@pytest.mark.parametrize("file_format", ["tfrecord", "hdf5"])
def test_a_damaged_window_is_named(copy: Path, file_format: str) -> None:
    name = shard(copy, file_format)
    row = Dataset(copy).index(name).table.to_pylist()[1]
    data = bytearray((copy / name).read_bytes())
    data[row["waveform_offset"] + 3] ^= 1
    (copy / name).write_bytes(data)
    defects = verify(str(copy)).defects
    place = f"window of {row['recording_id']} at frame {row['first_frame']}: waveform"
    assert any(place in defect for defect in defects)


def test_swapped_shards_are_found(copy: Path) -> None:
    first, second = (copy / shard(copy, "tfrecord", number) for number in (0, 1))
    for suffix in ("", ".index.parquet"):
        a, b = (Path(f"{path}{suffix}") for path in (first, second))
        a_data, b_data = a.read_bytes(), b.read_bytes()
        a.write_bytes(b_data)
        b.write_bytes(a_data)
    assert len(verify(str(copy)).defects) >= 4
    names = [str(path.relative_to(copy)) for path in (first, second)]
    reseal(copy, *names, *(f"{name}.index.parquet" for name in names))
    assert any("does not list the windows" in defect for defect in verify(str(copy)).defects)


def test_extra_files_are_found(copy: Path) -> None:
    (copy / "train" / "more.h5").write_text("x")
    assert verify(str(copy)).defects == (
        "train/more.h5: does not belong to the dataset; remove it",
    )


def test_formats_that_differ_are_found_even_where_the_digests_agree(copy: Path) -> None:
    name = shard(copy, "hdf5")
    with h5py.File(copy / name, "r+") as file:
        file["log_mel"][0, 0, 0] += 1
    reseal(copy, name)
    assert any("fail their checksum" in defect for defect in verify(str(copy)).defects)


def test_windows_named_otherwise_within_a_file_are_found(copy: Path) -> None:
    name = shard(copy, "hdf5")
    with h5py.File(copy / name, "r+") as file:
        file["first_frame"][0] += 1
    reseal(copy, name)
    assert verify(str(copy)).defects == (f"{name}: names other windows than its index",)


def more(statistics: Statistics) -> Statistics:
    return dataclasses.replace(statistics, count=statistics.count + 1)


@pytest.mark.parametrize(
    ("field", "edit", "told"),
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
    copy: Path, field: str, edit: Callable, told: str
) -> None:
    manifest = Dataset(copy).manifest
    values = {**vars(manifest), field: edit(getattr(manifest, field))}
    (copy / MANIFEST_FILE).write_bytes(Manifest(**values).to_bytes())
    assert f"{MANIFEST_FILE}: {told}" in verify(str(copy)).defects


def edit_index(root: Path, name: str, edit: Callable[[ShardIndex], ShardIndex]) -> None:
    """Writes the index of a shard again, changed, with a manifest that vouches for it."""
    index = edit(Dataset(root).index(name))
    (root / index_file(name)).write_bytes(index.to_bytes())
    reseal(root, index_file(name))


def report_with(**changed: object) -> Callable[[ShardIndex], ShardIndex]:
    return lambda index: ShardIndex(index.table, dataclasses.replace(index.report, **changed))


@pytest.mark.parametrize("file_format", ["tfrecord", "hdf5"])
@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"statistics": Statistics.zero(20)}, "its statistics are not those of its windows"),
        ({"windows": 1}, "its report counts 1 windows of"),
        ({"plan_digest": "x"}, "was written for another plan"),
        (
            {"rejects": (Reject("101", "window", "not_finite", 0, "x"),)},
            "lacks windows that a shard refused",
        ),
    ],
)
def test_figures_of_a_report_are_recomputed(
    copy: Path, file_format: str, changed: dict, told: str
) -> None:
    edit_index(copy, shard(copy, file_format), report_with(**changed))
    assert any(told in defect for defect in verify(str(copy)).defects)


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
    told = "train shard 0: the formats differ in their windows' bytes or order"
    assert told in verify(str(copy)).defects


def test_a_record_that_no_index_knows_is_found(copy: Path) -> None:
    name = shard(copy, "tfrecord")
    with (copy / name).open("ab") as file:
        file.write(b"".join(frame_record([b"more"])))
    reseal(copy, name)
    assert any("records, its index" in defect for defect in verify(str(copy)).defects)


def test_counts_of_recordings_are_recomputed(copy: Path) -> None:
    rows = Dataset(copy).recordings().to_pylist()
    rows[0]["clipped_samples"] = 7
    table = pa.Table.from_pylist(rows, RECORDINGS)
    (copy / "recordings.parquet").write_bytes(table_bytes(table))
    reseal(copy, "recordings.parquet")
    assert verify(str(copy)).defects[0] == (
        "recordings.parquet: its counts are not those of the shards"
    )


def test_a_missing_index_is_no_difference_between_formats(copy: Path) -> None:
    name = index_file(shard(copy, "tfrecord"))
    (copy / name).unlink()
    assert all(name in defect for defect in verify(str(copy)).defects)
