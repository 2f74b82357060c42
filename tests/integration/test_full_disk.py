"""Disks that are full, and limits on file sizes: one line, nothing broken, and then it goes on."""

from __future__ import annotations

import json
import re
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from schemas.manifest import MANIFEST_FILE
from schemas.names import CARD_FILES
from tests.support.processes import finish, preprocess_command, refusal
from tests.support.reference import digests
from tests.support.tiny_musicnet import CONFIG, RECORDINGS, Tiny, write_tiny_musicnet

RECORDED = (*RECORDINGS, Tiny("106", work="E", seconds=20))

KINDS = {
    "labels": r"labels/",
    "rejects so far": r"_work/rejects\.parquet",
    "run": r"_work/run\.json",
    "plan": r"_work/plan\.json",
    "table of the plan": r"_work/plan\.parquet",
    "TFRecord shard": r"/\d+-of-\d+\.tfrecord$",
    "HDF5 shard": r"/\d+-of-\d+\.h5$",
    "index": r"/\d+-of-\d+\.\w+\.index\.parquet",
    "recordings": r"out/recordings\.parquet",
    "rejects": r"out/rejects\.parquet",
    "inputs": r"out/inputs\.parquet",
    "card": r"out/(croissant\.json|features\.json|dataset_info\.json|README\.md)",
    "manifest": r"out/dataset\.json",
}

ROOMY = CONFIG.to_dict()
NARROW = {**ROOMY, "n_mels": 2, "features": ["log_mel"]}
"""With it the shards of one window are smaller than their indexes."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_musicnet(tmp_path_factory.mktemp("full") / "in", RECORDED)


def command_for(root: Path, out: Path, config: Mapping[str, object], *options: object) -> list[str]:
    path = root.parent / f"{config['n_mels']}.json"
    path.write_text(json.dumps(config))
    return preprocess_command(root, out, "--config", path, "--workers", 2, *options)


def kind_of_failure(message: str, cause: str, remedy: str) -> str:
    """Which kind of file a message names, whose cause and remedy must be those given."""
    found = re.fullmatch(rf"(.*): cannot be written: {cause}; {remedy}", message)
    assert found, message
    (kind,) = [kind for kind, pattern in KINDS.items() if re.search(pattern, found[1])]
    return kind


def limited(nbytes: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (nbytes, nbytes))


@pytest.mark.parametrize(
    ("config", "options", "kinds"),
    [
        (ROOMY, ("--format", "tfrecord", "--shard-mb", 0.3), ["labels", "TFRecord shard"]),
        (ROOMY, ("--format", "hdf5", "--shard-mb", 0.3), ["HDF5 shard"]),
        (
            NARROW,
            ("--shard-mb", 0.0001),
            ["card", "manifest", "recordings", "index", "table of the plan"],
        ),
    ],
    ids=["tfrecord", "hdf5", "small files"],
)
def test_a_limit_on_file_sizes_names_the_file_and_is_survived(
    config: Mapping[str, object],
    options: tuple[object, ...],
    kinds: list[str],
    root: Path,
    tmp_path: Path,
) -> None:
    """The largest file of a kind is a byte too large; what was written before stays there."""
    undisturbed, out = tmp_path / "undisturbed/out", tmp_path / "out"
    finish(command_for(root, undisturbed, config, *options))
    command = command_for(root, out, config, *options)
    for kind in kinds:
        written = [*undisturbed.rglob("*"), *out.rglob("*")]
        paths = [path for path in written if re.search(KINDS[kind], str(path))]
        nbytes = max(path.stat().st_size for path in paths)
        for path in paths:
            if path.is_relative_to(out):
                path.unlink()
        if kind == "manifest":  # One card is larger, and is not written again where it is whole.
            for name in CARD_FILES:
                shutil.copy(undisturbed / name, out / name)
        message = refusal(command, preexec_fn=limited(nbytes - 1))
        print(message)
        remedy = "raise the limit of file sizes .* again"
        assert kind_of_failure(message, "file too large", remedy) == kind
        assert not (out / MANIFEST_FILE).exists()
    finish(command)
    assert digests(out) == digests(undisturbed)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """A function that gives the disk that it returns so many bytes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = False

    def resize(nbytes: int) -> Path:
        nonlocal mounted
        option = f"{'remount,' * mounted}size={nbytes}"
        mount = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", option, "tmpfs", str(disk)],
            capture_output=True,
            text=True,
        )
        if mount.returncode and not mounted:
            pytest.skip(f"no disk can be mounted here: {mount.stderr.strip()}")
        assert mount.returncode == 0, mount.stderr
        mounted = True
        return disk

    yield resize
    if mounted:
        subprocess.run(["umount", str(disk)], check=True)


def used_bytes(disk: Path) -> int:
    counts = subprocess.run(["df", "-B1", "--output=used", disk], capture_output=True, text=True)
    return int(counts.stdout.split()[-1])


def test_a_full_disk_is_survived_wherever_it_strikes(
    root: Path, small_disk: Callable[[int], Path], tmp_path: Path
) -> None:
    options = ("--format", "both", "--shard-mb", 0.3)
    disk = small_disk(2**30)
    finish(command_for(root, disk / "undisturbed", ROOMY, *options))
    expected, needed = digests(disk / "undisturbed"), used_bytes(disk)
    subprocess.run(["rm", "-r", str(disk / "undisturbed")], check=True)
    page = 4_096
    command = command_for(root, disk / "out", ROOMY, *options)
    kinds, kept = set(), 0

    def strike(nbytes: int) -> None:
        nonlocal kept
        small_disk(nbytes)
        message = refusal(command)
        print(nbytes, message)
        kinds.add(kind_of_failure(message, "no space left on device", "make room, .* again"))
        assert not (disk / "out" / MANIFEST_FILE).exists()
        kept = len(list((disk / "out").glob("*/*.index.parquet")))

    for nbytes in (page, 6 * page, needed // 2, needed - 40 * page):
        strike(nbytes)
    # At the end the table of the plan is there as well, which publishing removes.
    table = -(-(disk / "out/_work/plan.parquet").stat().st_size // page) * page
    for nbytes in (needed + table - page, needed + table):
        strike(nbytes)
    for some in (
        {"labels"},
        {"TFRecord shard", "HDF5 shard"},
        {"recordings", "rejects", "card", "manifest"},
    ):
        assert kinds & some
    small_disk(2**30)
    assert finish(command)["shards_kept"] == kept > 0
    assert digests(disk / "out") == expected


def test_a_dataset_stays_whole_where_there_is_no_room_for_the_new_one(
    root: Path, small_disk: Callable[[int], Path]
) -> None:
    options = ("--format", "both", "--shard-mb", 0.3)
    disk = small_disk(2**30)
    finish(command_for(root, disk / "out", ROOMY, *options))
    expected = digests(disk / "out")
    small_disk(used_bytes(disk) * 3 // 2)
    replace = command_for(root, disk / "out", ROOMY, *options, "--overwrite", "--seed", 1)
    kind_of_failure(refusal(replace), "no space left on device", "make room, .* again")
    assert digests(disk / "out") == expected
    small_disk(2**30)
    finish(replace)
    assert json.loads((disk / "out" / MANIFEST_FILE).read_text())["seed"] == 1
    assert [path.name for path in disk.iterdir()] == ["out"]
