"""Runs that are killed, changed or doubled: nothing is lost or mixed, bytes are the same."""

from __future__ import annotations

import functools
import json
import os
import random
import re
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipelines.build_folder import open_build_folder
from pipelines.cards.add import add_cards
from pipelines.errors import PipelineError
from pipelines.run_state import claim_plan
from pipelines.verification.verify import verify
from schemas import Dataset, FeatureConfig, Manifest, Storage
from schemas.manifest import MANIFEST_FILE, FileEntry, SplitSummary
from schemas.names import CARD_FILES
from schemas.shards import FORMATS, SPLITS
from tests.support.older_datasets import without_cards
from tests.support.processes import (
    computed_seconds,
    finish,
    kill,
    kill_after,
    preprocess_command,
    refusal,
    start,
    wait_for,
)
from tests.support.reference import digests
from tests.support.tiny_musicnet import CONFIG, Tiny, write_tiny_musicnet

KILLS = 10
OVERWRITE_KILLS = 5

LONG = tuple(Tiny(str(number), seconds=25, work=str(number)) for number in range(100, 120))
SHORT = tuple(Tiny(str(number), seconds=5, work=str(number)) for number in range(100, 106))


@pytest.fixture(scope="module")
def long_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thousands of windows, so that most of a run is the writing of shards."""
    return write_tiny_musicnet(tmp_path_factory.mktemp("long") / "in", LONG)


@pytest.fixture(scope="module")
def short_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_musicnet(tmp_path_factory.mktemp("short") / "in", SHORT)


@pytest.fixture(scope="module")
def undisturbed(long_root: Path) -> tuple[dict[str, str], float]:
    """The digests of a run that nothing interrupts, and the seconds for which it computes."""
    process, seconds = start(command_for(long_root, long_root.parent / "out")), 0.0
    while process.poll() is None:
        seconds = max(seconds, computed_seconds(process))
        time.sleep(0.01)
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    return digests(long_root.parent / "out"), seconds


def command_for(root: Path, out: Path, *options: object) -> list[str]:
    config = root.parent / "config.json"
    config.write_text(json.dumps(CONFIG.to_dict()))
    size = ("--shard-mb", 0.4, "--config", config)
    return preprocess_command(root, out, "--workers", 2, "--format", "both", *size, *options)


def moments(count: int, seconds: float) -> list[float]:
    drawn = random.Random(20).sample(range(1000), count)
    return [seconds * each / 1000 for each in drawn]


def finished_shards(out: Path) -> int:
    return len(list(out.glob("*/*.index.parquet")))


def test_a_killed_run_goes_on_to_the_same_bytes(
    long_root: Path, undisturbed: tuple[dict[str, str], float], tmp_path: Path
) -> None:
    expected, seconds = undisturbed
    shards = sum(name.endswith(".index.parquet") for name in expected)
    interrupted = 0
    for moment in moments(KILLS, seconds):
        out = tmp_path / "out"
        command = command_for(long_root, out)
        process = start(command)
        kill_after(moment, process)
        whole, published = finished_shards(out), (out / MANIFEST_FILE).exists()
        print(f"killed after {moment:.2f} of {seconds:.2f} s: {whole} of {shards} shards whole")
        if published:
            assert "holds a dataset already" in refusal(command)
        else:
            result = finish(command)
            assert (result["shards_kept"], result["shards_written"]) == (whole, shards - whole)
            interrupted += 0 < whole < shards
        assert digests(out) == expected
        assert [path.name for path in tmp_path.iterdir()] == ["out"]
        shutil.rmtree(out)
    assert interrupted >= 3, "too few of the moments fell into the writing of shards"


def test_a_dataset_stays_whole_while_it_is_replaced_by_runs_that_are_killed(
    long_root: Path, undisturbed: tuple[dict[str, str], float], tmp_path: Path
) -> None:
    _, seconds = undisturbed
    out = tmp_path / "out"
    command = command_for(long_root, out, "--seed", 1, "--overwrite")
    shutil.copytree(long_root.parent / "out", out)
    before = digests(out)
    for moment in [*sorted(moments(OVERWRITE_KILLS - 1, seconds)), 0.98 * seconds]:
        process = start(command)
        kill_after(moment, process)
        replaced = Dataset(out).manifest.seed == 1
        print(f"killed after {moment:.2f} of {seconds:.2f} s: {'new' if replaced else 'old'}")
        assert verify(str(out)).defects == ()
        assert replaced or digests(out) == before
    finish(command)
    finish(command_for(long_root, tmp_path / "fresh", "--seed", 1))
    assert digests(out) == digests(tmp_path / "fresh")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fresh", "out"]


CHANGING_EVENTS = {"os.mkdir", "os.remove", "os.rename", "os.rmdir", "open"}


def kill_before(number: int, folder: Path) -> None:
    """Lets this process kill itself before it changes the `number`-th thing below a folder."""
    changes = 0

    def count(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal changes
        if event not in CHANGING_EVENTS or (event == "open" and not opens_to_write(arguments)):
            return
        # Removing trees names what lies in them relative to open folders.
        if not str(arguments[0]).startswith("/") or str(arguments[0]).startswith(str(folder)):
            if changes == number:
                os.kill(os.getpid(), signal.SIGKILL)
            changes += 1

    sys.addaudithook(count)


def opens_to_write(arguments: tuple[object, ...]) -> bool:
    flags = arguments[2]
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


def in_child(act: Callable[[], object]) -> int:
    """The status of a child process that does something; negative where a signal ended it."""
    child = os.fork()
    if child == 0:
        try:
            act()
        except PipelineError:
            os._exit(1)
        except BaseException:
            sys.excepthook(*sys.exc_info())
            os._exit(2)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def build(out: Path, text: str, *, overwrite: bool) -> None:
    """A run that takes no time."""
    with open_build_folder(str(out), overwrite=overwrite) as place:
        fill(place, text)


def fill(place: str, text: str) -> None:
    """Writes the files of a dataset in their usual order; all hold only `text`."""
    storage = Storage(place)
    claim_plan(storage, {"text": text})
    names = ("labels/1.parquet", "train/00000-of-00001.h5", "recordings.parquet")
    for name in names:
        storage.write_bytes(name, text.encode())
    files = dict.fromkeys(names, FileEntry.of(text.encode()))
    splits = {split: SplitSummary(0, 0, 0) for split in SPLITS}
    manifest = Manifest(
        config=FeatureConfig(),
        seed=0,
        formats=FORMATS,
        splits=splits,
        statistics=None,
        plan_digest=text,
        fingerprint=text,
        packages={},
        files=files,
    )
    storage.write_bytes(MANIFEST_FILE, manifest.to_bytes())


def built(out: Path) -> str:
    """The text of a dataset that must be whole, and nothing beside it."""
    files = Dataset(out).manifest.files
    texts = {(out / name).read_text() for name in files}
    assert Storage(out).list_files() == sorted([MANIFEST_FILE, *files])
    (text,) = texts
    return text


def every_kill(out: Path, *, overwrite: bool) -> Iterator[int]:
    """Kills a run before each of its changes in turn, in a place that the caller has prepared."""

    def run(number: int) -> None:
        kill_before(number, out.parent)
        build(out, "new", overwrite=overwrite)

    for number in range(1000):
        status = in_child(functools.partial(run, number))
        yield number
        if status == 0:
            assert number > 20, "what a run changes was not noticed"
            return
        assert status == -signal.SIGKILL
    pytest.fail("the run does not end")


def test_a_run_may_be_killed_before_any_of_its_changes(tmp_path: Path) -> None:
    out = tmp_path / "out"
    for _ in every_kill(out, overwrite=False):
        assert in_child(lambda: build(out, "new", overwrite=False)) in (0, 1)
        assert built(out) == "new"
        assert [path.name for path in tmp_path.iterdir()] == ["out"]
        shutil.rmtree(out)


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_replacing_run_may_be_killed_before_any_of_its_changes(
    overwrite: bool, tmp_path: Path
) -> None:
    """The next run, which replaces the dataset or is refused, finds the old or the new one."""
    out, found = tmp_path / "out", set()
    build(out, "old", overwrite=False)
    for _ in every_kill(out, overwrite=True):
        missing = not out.exists()
        status = in_child(lambda: build(out, "newest", overwrite=overwrite))
        assert status == (0 if overwrite else 1)
        text = built(out)
        found.add((text, missing))
        left = {path.name for path in tmp_path.iterdir()}
        assert left == {"out"} if overwrite else left <= {"out", ".out.new"}
        shutil.rmtree(tmp_path)
        tmp_path.mkdir()
        build(out, "old", overwrite=False)
    whole = {"newest"} if overwrite else {"old", "new"}
    assert {text for text, _ in found} == whole
    assert any(missing for _, missing in found), "no kill fell between the two renames"


def test_adding_cards_may_be_killed_before_any_of_its_changes(
    tiny_dataset: Path, tmp_path: Path
) -> None:
    older, out = without_cards(tiny_dataset, tmp_path / "older"), tmp_path / "in/out"
    before, expected = digests(older), digests(tiny_dataset)

    def add(number: int) -> None:
        kill_before(number, out.parent)
        add_cards(str(out))

    for number in range(1000):
        shutil.copytree(older, out)
        status = in_child(functools.partial(add, number))
        found = digests(out)
        manifest = found.pop(MANIFEST_FILE)
        assert manifest in (before[MANIFEST_FILE], expected[MANIFEST_FILE])
        assert found.items() >= {(name, each) for name, each in before.items()
                                 if name != MANIFEST_FILE}  # fmt: skip
        assert Dataset(out).window("train", 0).features
        add_cards(str(out))
        assert digests(out) == expected
        assert [path.name for path in out.parent.iterdir()] == ["out"]
        shutil.rmtree(out.parent)
        if status == 0:
            assert number > len(CARD_FILES), "what it changes was not noticed"
            return
        assert status == -signal.SIGKILL
    pytest.fail("it does not end")


def modify_audio(root: Path) -> None:
    with (root / "train_data/100.wav").open("r+b") as file:
        file.seek(10_000)
        file.write(bytes(4))


def modify_labels(root: Path) -> None:
    with (root / "train_labels/100.csv").open("a") as file:
        file.write("1,50000,1,60,1.0,1.0,Quarter\n")


def add_recording(root: Path) -> None:
    for kind, ending in (("data", "wav"), ("labels", "csv")):
        folder = root / f"train_{kind}"
        shutil.copy(folder / f"100.{ending}", folder / f"999.{ending}")


def reusable(out: Path) -> dict[str, str]:
    """The digests of what a later run of the same plan takes over."""
    kept = re.compile(r"labels/|.*/\d+-of-\d+\.|_work/plan")
    return {name: digest for name, digest in digests(out).items() if kept.match(name)}


@pytest.mark.parametrize(
    ("change", "options"),
    [
        (lambda root: None, ("--seed", 7)),
        (modify_audio, ()),
        (modify_labels, ()),
        (add_recording, ()),
    ],
    ids=["seed", "audio", "labels", "recording"],
)
def test_unfinished_work_is_never_mixed_with_what_has_changed(
    change: Callable[[Path], None], options: tuple[object, ...], short_root: Path, tmp_path: Path
) -> None:
    root, out = shutil.copytree(short_root, tmp_path / "in"), tmp_path / "out"
    process = start(command_for(root, out))
    wait_for(lambda: finished_shards(out) >= 2, process)
    kill(process)
    change(root)
    command = command_for(root, out, *options)
    before = reusable(out)
    assert "--overwrite" in refusal(command)
    assert before.items() <= reusable(out).items()
    result = finish([*command, "--overwrite"])
    assert result["shards_kept"] == 0
    finish(command_for(root, tmp_path / "fresh", *options))
    assert digests(out) == digests(tmp_path / "fresh")


def test_of_two_runs_into_one_place_one_is_refused(long_root: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = command_for(long_root, out)
    for options in ((), ("--seed", 1, "--overwrite")):
        build_root = tmp_path / ".out.new" if options else out
        first = start([*command, *map(str, options)])
        wait_for((build_root / "_work/plan.json").exists, first)
        os.killpg(first.pid, signal.SIGSTOP)
        for second in ((), ("--overwrite",)):
            assert "out: another run is writing here; wait" in refusal([*command, *second])
        os.killpg(first.pid, signal.SIGCONT)
        first.communicate()
        assert first.returncode == 0
        fresh = tmp_path / f"fresh{len(options)}"
        finish(command_for(long_root, fresh, *options[:2]))
        assert digests(out) == digests(fresh)
        assert not list(tmp_path.glob(".out*"))


def test_runs_that_race_for_one_place_never_share_it(tmp_path: Path) -> None:
    out, busy = tmp_path / "place/out", tmp_path / "busy"
    build(out, "first", overwrite=False)

    def race(name: str) -> None:
        for number in range(100):
            try:
                with open_build_folder(str(out), overwrite=True) as place:
                    busy.touch(exist_ok=False)
                    fill(place, f"{name} {number}")
                    busy.unlink()
            except PipelineError as error:
                if "another run is writing here" not in str(error):
                    raise RuntimeError("it should have found the dataset") from error

    names = "abcd"
    with ThreadPoolExecutor(len(names)) as pool:
        statuses = pool.map(lambda name: in_child(lambda: race(name)), names)
    assert list(statuses) == [0] * len(names)
    assert built(out) != "first"
    assert [path.name for path in out.parent.iterdir()] == ["out"]
