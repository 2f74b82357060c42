"""A run that reuses an earlier dataset makes the bytes of one that reuses nothing."""

import dataclasses
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import pipelines.engine.steps
import pipelines.writing.window_cutter
from pipelines.engine.steps import RunConfig, plan_run
from pipelines.errors import PipelineError
from pipelines.planning.plan import PlanOptions
from pipelines.preprocessing import dry_run
from pipelines.results import Reuse
from pipelines.reuse.earlier import EarlierDataset
from pipelines.summary import not_copied_lines, reuse_lines
from pipelines.writing.shard_writer import write_shard
from schemas import Dataset, DuetError
from schemas.manifest import MANIFEST_FILE
from schemas.tables import INPUTS_FILE
from tests.support.damage import damaged_copy
from tests.support.older_datasets import without_files
from tests.support.reference import digests
from tests.support.runs import PLAN, made, options
from tests.support.songs import write_songs
from tests.support.tiny_musicnet import CONFIG, Tiny, tiny_labels, tiny_samples


def nothing(_: Path) -> None:
    pass


def added(root: Path) -> None:
    for number in range(106, 109):
        tiny = Tiny(str(number), seconds=1.1)
        path = root / f"train_data/{number}.wav"
        soundfile.write(path, tiny_samples(tiny, seed=number), tiny.rate, subtype="FLOAT")
        (root / f"train_labels/{number}.csv").write_text(tiny_labels(tiny, seed=number))


def removed(root: Path) -> None:
    (root / "train_data/103.wav").unlink()


def renamed(root: Path) -> None:
    (root / "train_data/103.wav").rename(root / "train_data/113.wav")
    (root / "train_labels/103.csv").rename(root / "train_labels/113.csv")


def other_audio(root: Path) -> None:
    """One bit of one sample, with the time of the file as it was."""
    path = root / "train_data/104.wav"
    data, status = bytearray(path.read_bytes()), path.stat()
    data[-1] ^= 0x20
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def other_labels(root: Path) -> None:
    path = root / "train_labels/104.csv"
    path.write_text(path.read_text().replace(",1,", ",41,", 1))


def other_metadata(root: Path) -> None:
    path = root / "musicnet_metadata.csv"
    path.write_text(path.read_text().replace("Allegro", "Largo"))


def moved(root: Path) -> None:
    """All of it into a folder."""
    root.rename(root.with_name("unpacked"))
    root.mkdir()
    root.with_name("unpacked").rename(root / "unpacked")


def not_finite(root: Path) -> None:
    """In the last window of a recording."""
    path = root / "train_data/102.wav"
    samples, rate = soundfile.read(path, dtype="float32")
    samples[-100:] = np.inf
    soundfile.write(path, samples, rate, subtype="FLOAT")


CHANGES: dict[Callable[[Path], None], tuple[int, int, int, int]] = {
    nothing: (6, 0, 0, 0),
    added: (6, 0, 3, 0),
    removed: (5, 0, 0, 1),
    renamed: (5, 0, 1, 1),
    other_audio: (5, 1, 0, 0),
    other_labels: (5, 1, 0, 0),
    other_metadata: (6, 0, 0, 0),
    moved: (6, 0, 0, 0),
    not_finite: (5, 1, 0, 0),
}
"""What happens to an input, and the recordings unchanged, changed, new and gone."""


def figures(reuse: Reuse | None) -> tuple[int, int, int, int]:
    assert reuse
    return reuse.unchanged, reuse.changed, reuse.added, reuse.removed


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_input_gives_the_bytes_of_a_run_from_nothing(
    change: Callable[[Path], None], tiny_root: Path, tiny_dataset: Path, tmp_path: Path
) -> None:
    root = shutil.copytree(tiny_root, tmp_path / "in")
    change(root)
    expected = made(options(root, tmp_path / "a"))
    asked = options(root, tmp_path / "b", reuse=str(tiny_dataset))
    foreseen = dry_run(asked).reuse
    result = made(asked)
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    assert figures(result.reuse) == figures(foreseen) == CHANGES[change]
    assert expected.reuse is None
    assert foreseen
    assert result.reuse
    assert foreseen.windows is None
    assert result.reuse.windows is not None
    assert dataclasses.replace(foreseen, windows=result.reuse.windows) == result.reuse
    assert result.reuse.unchanged_windows >= result.reuse.windows
    rows = Dataset(tmp_path / "b").recordings().to_pylist()
    all_windows = sum(row["windows"] for row in rows)
    assert (result.reuse.windows == all_windows) == (result.reuse.unchanged == len(rows))
    assert 10 < result.reuse.windows <= all_windows
    assert result.reuse.same_plan == (
        change in (nothing, other_audio, other_labels, other_metadata, not_finite)
    )


def with_features(**changed: Any) -> PlanOptions:
    return dataclasses.replace(PLAN, features=dataclasses.replace(CONFIG, **changed))


VARIANTS: dict[str, dict[str, Any]] = {
    "another order": {"plan": dataclasses.replace(PLAN, seed=1)},
    "other shards": {"plan": dataclasses.replace(PLAN, shard_megabytes=0.02)},
    "one format": {"formats": ("hdf5",)},
    "two workers": {"workers": 2},
    "other splits": {"plan": dataclasses.replace(PLAN, test_split="work-disjoint")},
    "no tail": {"plan": with_features(tail="drop")},
    "overlapping": {"plan": with_features(stride_frames=13)},
    "float16": {"plan": with_features(dtype="float16")},
    "instruments": {"plan": with_features(features=("instruments", "log_mel"))},
    "no audio": {"plan": with_features(features=("notes", "onsets"))},
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_plan_and_the_engine_may_be_others(
    variant: str, tiny_root: Path, tiny_dataset: Path, tmp_path: Path
) -> None:
    changed, old = VARIANTS[variant], str(tiny_dataset)
    features = changed.get("plan", PLAN).features
    if features != CONFIG:
        old = str(tmp_path / "old")
        made(
            options(
                tiny_root,
                tmp_path / "old",
                plan=dataclasses.replace(PLAN, features=features, seed=5),
            )
        )
    made(options(tiny_root, tmp_path / "a", **changed))
    result = made(options(tiny_root, tmp_path / "b", reuse=old, **changed))
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    assert result.reuse
    assert result.reuse.windows == result.metrics["windows_written"]
    if features == CONFIG:
        moved = result.reuse.moved > 0
        assert moved == (variant in ("another order", "other splits"))
        assert result.reuse.same_plan == (variant in ("one format", "two workers"))


@pytest.mark.parametrize("reuses_first", [True, False])
def test_a_stopped_run_goes_on_with_and_without(
    reuses_first: bool,
    tiny_root: Path,
    tiny_dataset: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written = []

    def stopping(*arguments: Any) -> Any:
        written.append(arguments)
        if len(written) > 3:
            raise KeyboardInterrupt
        return write_shard(*arguments)

    reuse = [str(tiny_dataset), None] if reuses_first else [None, str(tiny_dataset)]
    with monkeypatch.context() as patched:
        patched.setattr(pipelines.engine.steps, "write_shard", stopping)
        with pytest.raises(KeyboardInterrupt):
            made(options(tiny_root, tmp_path / "b", reuse=reuse[0]))
    result = made(options(tiny_root, tmp_path / "b", reuse=reuse[1]))
    assert result.shards_kept > 0
    assert digests(tiny_dataset) == digests(tmp_path / "b")


def test_songs_are_reused_too(tmp_path: Path) -> None:
    """A recording that was rejected before is made; others are decoded for their length alone."""
    root = tmp_path / "songs"
    write_songs(root)
    whole = (root / "album 1/3.mp3").read_bytes()
    (root / "album 1/3.mp3").write_bytes(b"")
    plan = with_features(features=("log_mel", "waveform"))
    made(options(root, tmp_path / "old", plan=plan))
    (root / "album 1/3.mp3").write_bytes(whole)
    made(options(root, tmp_path / "a", plan=plan))
    result = made(options(root, tmp_path / "b", plan=plan, reuse=str(tmp_path / "old")))
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    assert figures(result.reuse) == (5, 0, 1, 0)


def test_a_transform_takes_no_dataset_of_other_windows(
    tiny_root: Path, tiny_dataset: Path, tmp_path: Path
) -> None:
    earlier = EarlierDataset(str(tiny_dataset), Dataset(tiny_dataset).manifest.fingerprint)
    run = RunConfig(
        input_root=str(tiny_root),
        output=str(tmp_path / "b"),
        plan=with_features(n_mels=21),
        earlier=earlier,
    )
    with pytest.raises(PipelineError, match="it has n_mels=20, and this run n_mels=21"):
        plan_run(run, [], [])


def test_nothing_is_computed_of_what_is_copied(
    tiny_root: Path, tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise AssertionError("computed")

    monkeypatch.setattr(pipelines.writing.window_cutter.WindowCutter, "_cut", fails)
    made(options(tiny_root, tmp_path / "b", reuse=str(tiny_dataset)))
    with pytest.raises(AssertionError, match="computed"):
        made(options(tiny_root, tmp_path / "c"))


def test_labels_do_not_count_where_there_are_no_notes(tiny_root: Path, tmp_path: Path) -> None:
    plan = PlanOptions(features=dataclasses.replace(CONFIG, features=("log_mel",)))
    made(options(tiny_root, tmp_path / "old", plan=plan))
    root = shutil.copytree(tiny_root, tmp_path / "in")
    other_labels(root)
    made(options(root, tmp_path / "a", plan=plan))
    result = made(options(root, tmp_path / "b", plan=plan, reuse=str(tmp_path / "old")))
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    assert figures(result.reuse) == CHANGES[nothing]


def test_a_dataset_is_replaced_by_one_that_reuses_it(
    tiny_root: Path, tiny_dataset: Path, tmp_path: Path
) -> None:
    root = shutil.copytree(tiny_root, tmp_path / "in")
    out = shutil.copytree(tiny_dataset, tmp_path / "out")
    added(root)
    made(options(root, tmp_path / "a"))
    result = made(options(root, out, overwrite=True, reuse=str(out)))
    assert figures(result.reuse) == CHANGES[added]
    assert digests(tmp_path / "a") == digests(out)


def test_clipped_windows_are_counted_again(tiny_root: Path, tmp_path: Path) -> None:
    root = shutil.copytree(tiny_root, tmp_path / "in")
    samples = np.zeros(44_100, np.float32)
    samples[20_000:20_010] = 2
    samples[40_000] = 1  # Full scale, and not clipped.
    soundfile.write(root / "train_data/105.wav", samples, 22_050, subtype="FLOAT")
    whole = made(options(root, tmp_path / "a"))
    result = made(options(root, tmp_path / "b", reuse=str(tmp_path / "a")))
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    rows = Dataset(tmp_path / "b").recordings().to_pylist()
    assert sum(row["clipped_samples"] for row in rows) >= 10
    assert result.reuse
    assert result.reuse.windows == whole.metrics["windows_written"] - 2


def test_a_damaged_window_is_made_again(
    tiny_root: Path, tiny_dataset: Path, tmp_path: Path
) -> None:
    damaged_copy(tiny_dataset, tmp_path / "old", shard=0, window=0, feature="waveform")
    result = made(options(tiny_root, tmp_path / "b", reuse=str(tmp_path / "old")))
    assert digests(tiny_dataset) == digests(tmp_path / "b")
    assert result.reuse
    assert result.reuse.windows == result.metrics["windows_written"] - 1


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"plan": PlanOptions(features=dataclasses.replace(CONFIG, n_mels=21))},
            r"its windows are others: it has n_mels=20, and this run n_mels=21; ask for the same",
        ),
        (
            {"plan": PlanOptions(features=dataclasses.replace(CONFIG, features=("log_mel",)))},
            r"it has features=log_mel,waveform,notes,onsets, and this run features=log_mel; ask",
        ),
        ({"reuse": "missing"}, r"/missing: cannot be reused, because it holds no dataset\.json"),
        ({"plan": PLAN, "reuse": "."}, r"and so no finished dataset; name another, or leave out"),
    ],
)
def test_a_dataset_of_other_windows_is_not_reused(
    changed: dict[str, Any], said: str, tiny_root: Path, tiny_dataset: Path, tmp_path: Path
) -> None:
    asked = options(tiny_root, tmp_path / "b", **{"reuse": str(tiny_dataset), **changed})
    for run in (dry_run, made):
        with pytest.raises(DuetError, match=said):
            run(asked)
    assert not (tmp_path / "b").exists()


def test_a_dataset_of_another_version_is_not_reused(
    tiny_root: Path, tiny_dataset: Path, tmp_path: Path
) -> None:
    older = without_files(tiny_dataset, tmp_path / "older", [INPUTS_FILE])
    with pytest.raises(
        PipelineError,
        match=r"cannot be reused, because an older version made it, .* leave out reuse",
    ):
        made(options(tiny_root, tmp_path / "b", reuse=str(older)))
    manifest = Dataset(older).manifest
    packages = {**manifest.packages, "soxr": "0.0.1"}
    other = dataclasses.replace(manifest, packages=packages)
    (older / MANIFEST_FILE).write_bytes(other.to_bytes())
    with pytest.raises(PipelineError, match=r"made with soxr 0\.0\.1, not .*install that version"):
        made(options(tiny_root, tmp_path / "b", reuse=str(older)))


@pytest.mark.parametrize("name", [INPUTS_FILE, "recordings.parquet", MANIFEST_FILE])
def test_a_dataset_whose_tables_are_damaged_is_not_reused(
    name: str, tiny_root: Path, tiny_dataset: Path, tmp_path: Path
) -> None:
    damaged = shutil.copytree(tiny_dataset, tmp_path / "old")
    data = bytearray((damaged / name).read_bytes())
    data[len(data) // 2] ^= 1  # In the middle, where a Parquet file may still be readable.
    (damaged / name).write_bytes(data)
    asked = options(tiny_root, tmp_path / "b", reuse=str(damaged))
    for run in (dry_run, made):
        with pytest.raises(
            PipelineError, match=rf"/old: cannot be reused, so leave out reuse: .*/old/{name}: "
        ):
            run(asked)


REUSE = Reuse(dataset="old", same_plan=True, unchanged=1_200, changed=1, added=0, removed=2,
              moved=0, unchanged_windows=34_007, windows=34_000)  # fmt: skip


def test_what_was_reused_is_said() -> None:
    assert reuse_lines(None, foreseen=False) == []
    recordings = "recordings, beside old: 1,200 unchanged, 1 changed, 0 new, 2 gone or rejected"
    same = "the plan is the same: the same windows in the same shards"
    assert reuse_lines(REUSE, foreseen=False) == [
        "windows copied from old: 34,000",
        recordings,
        same,
    ]
    unknown = dataclasses.replace(REUSE, windows=None)
    assert reuse_lines(unknown, foreseen=True) == [
        "windows to copy from old: 34,007",
        recordings,
        same,
    ]
    assert reuse_lines(unknown, foreseen=False) == [recordings, same]
    another = dataclasses.replace(REUSE, same_plan=False, moved=3)
    assert reuse_lines(another, foreseen=False)[2:] == [
        "the plan is a new one: windows are in another order",
        "recordings that are in another split than before: 3; --splits with a row for every "
        "recording can keep them where they were",
    ]


def test_windows_that_were_not_copied_are_said() -> None:
    assert not_copied_lines(REUSE) == [
        "windows of unchanged recordings that were not copied: 7; they are clipped or rejected, or "
        "old was damaged, which duet verify finds out"
    ]
    for windows in (34_007, 34_008, None):
        assert not_copied_lines(dataclasses.replace(REUSE, windows=windows)) == []
    assert not_copied_lines(None) == []


def test_no_dataset_has_no_name(tiny_root: Path, tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="reuse must name a dataset, or be None"):
        options(tiny_root, tmp_path / "b", reuse="")
