import contextlib
import re
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pyarrow as pa
import pytest

from pipelines.build_folder import CLAIM_FILE, open_build_folder, planned_action
from pipelines.errors import PipelineError
from pipelines.planning.plan import Plan
from pipelines.recordings.listing import list_sources
from pipelines.run_state import claim_plan, read_claim
from pipelines.writing.label_writer import inspect_and_keep
from pipelines.writing.publish import require_unchanged
from schemas import DatasetError, DuetError, FeatureConfig, Manifest, Storage
from schemas.manifest import MANIFEST_FILE, SplitSummary
from schemas.shards import FORMATS, SPLITS
from schemas.tables import labels_file
from tests.support.tiny_musicnet import CONFIG


def publish(folder: str | Path, text: str = "{}") -> None:
    Storage(folder).write_bytes(MANIFEST_FILE, text.encode())


def publish_whole(folder: Path) -> bytes:
    """Publishes the smallest dataset there is, and returns its manifest."""
    splits = {split: SplitSummary(0, 0, 0) for split in SPLITS}
    manifest = Manifest(
        config=FeatureConfig(),
        seed=0,
        formats=FORMATS,
        splits=splits,
        statistics=None,
        plan_digest="p",
        fingerprint="f",
        packages={},
        files={},
    )
    publish(folder, manifest.to_bytes().decode())
    return manifest.to_bytes()


def test_a_second_run_is_refused_until_the_first_ends(tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    with open_build_folder(out, overwrite=False) as place:
        Storage(place).write_bytes("train/00000-of-00001.h5", b"1")
        with pytest.raises(PipelineError, match="another run is writing here"):
            contextlib.ExitStack().enter_context(open_build_folder(out, overwrite=False))
    with open_build_folder(out, overwrite=False):
        pass
    assert (tmp_path / "out/train/00000-of-00001.h5").exists()


def test_a_killed_run_leaves_no_lock(tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    code = (
        "import os, signal; from pipelines.build_folder import open_build_folder\n"
        "from pipelines.run_state import claim_plan\n"
        "from schemas import Storage\n"
        f"with open_build_folder({out!r}, overwrite=False) as place:\n"
        "    claim_plan(Storage(place), {})\n"
        "    os.kill(os.getpid(), signal.SIGKILL)"
    )
    run = subprocess.run([sys.executable, "-c", code])
    assert run.returncode == -9
    with open_build_folder(out, overwrite=False) as place:
        assert read_claim(Storage(place)) == {}


def test_a_run_in_which_nothing_came_to_be_leaves_nothing(tmp_path: Path) -> None:
    with (
        contextlib.suppress(RuntimeError),
        open_build_folder(str(tmp_path / "a/b"), overwrite=False),
    ):
        raise RuntimeError
    assert not (tmp_path / "a/b").exists()


def test_publishing_removes_what_only_the_run_needed(tmp_path: Path) -> None:
    with open_build_folder(str(tmp_path / "out"), overwrite=False) as place:
        storage = Storage(place)
        claim_plan(storage, {})
        storage.write_bytes("train/.tmp-00000-abc", b"left by a killed process")
        storage.write_bytes("train/x", b"1")
        publish(place)
    assert Storage(tmp_path / "out").list_files() == [MANIFEST_FILE, "train/x"]


def test_the_old_dataset_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    out = tmp_path / "out"
    old = publish_whole(out)
    with contextlib.suppress(RuntimeError), open_build_folder(str(out), overwrite=True) as place:
        claim_plan(Storage(place), {})
        raise RuntimeError
    assert (out / MANIFEST_FILE).read_bytes() == old
    with open_build_folder(str(out), overwrite=True) as place:
        assert (out / MANIFEST_FILE).read_bytes() == old
        publish(place, "new")
    assert (out / MANIFEST_FILE).read_text() == "new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


def test_a_swap_that_was_cut_short_is_undone(tmp_path: Path) -> None:
    publish(tmp_path / ".out.old", "old")
    with (
        contextlib.suppress(PipelineError),
        open_build_folder(str(tmp_path / "out"), overwrite=False),
    ):
        pytest.fail("a published dataset was about to be replaced")
    assert (tmp_path / "out" / MANIFEST_FILE).read_text() == "old"


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(
    "state",
    ["missing", "empty", "dataset", "foreign", "dataset and more", "swap cut short", "a file",
     "within a file", "foreign beside", "unfinished"],
)  # fmt: skip
def test_what_would_be_done_is_what_is_done(state: str, overwrite: bool, tmp_path: Path) -> None:
    """Of every state of a folder, both say the same; the plan alone writes nothing."""
    out = tmp_path / "out"
    if state in ("dataset", "dataset and more", "foreign beside"):
        publish_whole(out)
    if state == "swap cut short":
        publish_whole(tmp_path / ".out.old")
    if state in ("foreign", "dataset and more"):
        (out / "thesis.tex").parent.mkdir(exist_ok=True)
        (out / "thesis.tex").touch()
    if state == "foreign beside":
        (tmp_path / ".out.new").mkdir()
        (tmp_path / ".out.new/thesis.tex").touch()
    if state == "empty":
        out.mkdir()
    if state == "a file":
        out.touch()
    if state == "within a file":
        out.touch()
        out = out / "out"
    if state == "unfinished":
        with open_build_folder(str(out), overwrite=False) as folder:
            claim_plan(Storage(folder), {})
    before = sorted(tmp_path.rglob("*"))
    try:
        planned = planned_action(str(out), overwrite=overwrite)
    except PipelineError:
        planned = None
    assert sorted(tmp_path.rglob("*")) == before
    try:
        with open_build_folder(str(out), overwrite=overwrite) as folder:
            replaces = Path(folder).name == ".out.new"
            continues = (out / "_work/plan.json").exists() and not replaces
            done = "replace" if replaces else "continue" if continues else "make"
    except DuetError:
        done = None
    assert done == ("make" if planned == "restart" else planned)


def test_stores_are_built_in_place_and_never_overwritten() -> None:
    root = "memory://work-test/out"
    assert planned_action(root, overwrite=False) == "make"
    with open_build_folder(root, overwrite=False) as place:
        assert place == root
        publish(root)
    with pytest.raises(PipelineError, match="holds a dataset already"):
        contextlib.ExitStack().enter_context(open_build_folder(root, overwrite=False))
    with pytest.raises(PipelineError, match="overwrite=True needs a local disk"):
        contextlib.ExitStack().enter_context(open_build_folder(root, overwrite=True))
    for overwrite in (False, True):
        with pytest.raises(PipelineError):
            planned_action(root, overwrite=overwrite)


def test_files_that_are_not_ours_are_never_removed(tmp_path: Path) -> None:
    Storage(tmp_path / "a").write_bytes("_work/mine.txt", b"four years")
    Storage(tmp_path / "b").write_bytes("dataset.json", b'{"name": "kaggle"}')
    with open_build_folder(str(tmp_path / "c"), overwrite=False) as place:
        claim_plan(Storage(place), {})
    Storage(tmp_path / "c").write_bytes("thesis.tex", b"four years")
    for name in "abc":
        before = Storage(tmp_path / name).list_files()
        for overwrite in (False, True):
            with (
                pytest.raises((PipelineError, DatasetError)),
                open_build_folder(str(tmp_path / name), overwrite=overwrite),
            ):
                pytest.fail("a foreign folder was about to be used")
        assert Storage(tmp_path / name).list_files() == before


def test_what_killed_swaps_left_does_not_stand_in_the_way(tmp_path: Path) -> None:
    publish_whole(tmp_path / "real")
    publish(tmp_path / ".real.old", "older")
    publish(tmp_path / ".real.new", "newer")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with open_build_folder(str(tmp_path / "link"), overwrite=True) as place:
        assert not (Path(place) / MANIFEST_FILE).exists()
        publish(place, "newest")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "link" / MANIFEST_FILE).read_text() == "newest"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "real"]


def test_a_swap_that_was_cut_short_is_ended(tmp_path: Path) -> None:
    publish(tmp_path / "out", "new")
    Storage(tmp_path / ".out.old").write_bytes("labels/1.parquet", b"half removed")
    with pytest.raises(PipelineError, match="holds a dataset already"):
        contextlib.ExitStack().enter_context(
            open_build_folder(str(tmp_path / "out"), overwrite=False)
        )
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("name", [".out.old", ".out.new"])
def test_folders_that_are_not_ours_are_never_removed(name: str, tmp_path: Path) -> None:
    publish_whole(tmp_path / "out")
    Storage(tmp_path / name).write_bytes("thesis.tex", b"four years")
    with pytest.raises(PipelineError, match=r"holds other files \(there is thesis.tex\); move"):
        contextlib.ExitStack().enter_context(
            open_build_folder(str(tmp_path / "out"), overwrite=True)
        )
    assert Storage(tmp_path / name).list_files() == ["thesis.tex"]


def test_a_dataset_is_not_lost_where_others_put_files_in_its_place(tmp_path: Path) -> None:
    publish(tmp_path / ".out.old", "old")
    Storage(tmp_path / "out").write_bytes("thesis.tex", b"four years")
    with pytest.raises(PipelineError, match=r"move them away, or the dataset, which is in .*old"):
        contextlib.ExitStack().enter_context(
            open_build_folder(str(tmp_path / "out"), overwrite=True)
        )
    assert (tmp_path / ".out.old" / MANIFEST_FILE).read_text() == "old"


def test_files_put_into_a_dataset_while_it_is_being_replaced_are_kept(tmp_path: Path) -> None:
    publish_whole(tmp_path / "out")
    place = open_build_folder(str(tmp_path / "out"), overwrite=True)
    publish(place.__enter__())
    Storage(tmp_path / "out").write_bytes("thesis.tex", b"four years")
    with pytest.raises(PipelineError, match=r"thesis.tex does not belong to the dataset"):
        place.__exit__(None, None, None)
    assert (tmp_path / "out/thesis.tex").exists()


def test_a_plan_is_claimed_once(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    claim_plan(storage, {"a": 1})
    claim_plan(storage, {"a": 1})
    with pytest.raises(PipelineError, match="unfinished work of another run"):
        claim_plan(storage, {"a": 2})
    assert read_claim(storage) == {"a": 1}


def test_a_damaged_dataset_is_not_replaced_but_the_way_out_is_told(tmp_path: Path) -> None:
    publish_whole(tmp_path / "out")
    manifest = tmp_path / "out" / MANIFEST_FILE
    manifest.write_text(manifest.read_text().replace('"seed": 0', '"seed": 1'))
    with (
        pytest.raises(PipelineError, match="move or remove the folder, or choose another output"),
        open_build_folder(str(tmp_path / "out"), overwrite=True),
    ):
        pytest.fail("a damaged dataset was about to be replaced")
    assert manifest.exists()


def test_a_file_that_is_no_lock_of_ours_is_kept(tmp_path: Path) -> None:
    (tmp_path / ".out.lock").write_text("precious")
    with (
        pytest.raises(PipelineError, match=r"\.out\.lock: is in the way of a lock"),
        open_build_folder(str(tmp_path / "out"), overwrite=False),
    ):
        pytest.fail("a foreign file was about to be taken for a lock")
    assert (tmp_path / ".out.lock").read_text() == "precious"


def test_a_damaged_plan_is_named(tmp_path: Path) -> None:
    Storage(tmp_path).write_bytes("_work/plan.json", b"{")
    with pytest.raises(PipelineError, match=r"plan\.json: was damaged; .* with overwrite=True"):
        read_claim(Storage(tmp_path))


def test_what_another_host_published_meanwhile_is_not_claimed(tmp_path: Path) -> None:
    publish(tmp_path)
    with pytest.raises(PipelineError, match="holds a dataset already"):
        claim_plan(Storage(tmp_path), {})
    assert read_claim(Storage(tmp_path)) is None


def other_labels(root: Path, output: str) -> None:
    """Inspects a recording whose labels lie there already, from other contents."""
    source = list_sources(str(root))[0][0]
    Storage(output).write_bytes(labels_file(source.recording_id), b"other labels")
    claim_plan(Storage(output), {})
    inspect_and_keep(source, str(root), output, CONFIG)


def changed_audio(root: Path, output: str) -> None:
    path = list_sources(str(root))[0][0].audio_path
    recordings = pa.table({"status": ["ok"], "path": [path], "version": ["old"]})
    require_unchanged(cast(Plan, SimpleNamespace(recordings=recordings)), str(root), output)


def other_plan(root: Path, output: str) -> None:
    claim_plan(Storage(output), {"seed": 1})
    claim_plan(Storage(output), {"seed": 2})


def damaged_plan(root: Path, output: str) -> None:
    Storage(output).write_bytes(CLAIM_FILE, b"{")
    read_claim(Storage(output))


def published(root: Path, output: str) -> None:
    publish(output)
    planned_action(output, overwrite=False)


@pytest.mark.parametrize(
    "state", [other_labels, changed_audio, other_plan, damaged_plan, published]
)
def test_only_on_a_disk_is_the_advice_to_overwrite(
    state: Callable[[Path, str], None], tiny_root: Path, tmp_path: Path
) -> None:
    with pytest.raises(PipelineError, match="overwrite=True"):
        state(tiny_root, str(tmp_path / "out"))
    with pytest.raises(PipelineError) as error:
        state(tiny_root, f"memory://{uuid.uuid4().hex}/out")
    assert "overwrite" not in str(error.value)
    assert re.search(r"; (.*, )?remove (the folder|memory://\w+/out)\b", str(error.value))
