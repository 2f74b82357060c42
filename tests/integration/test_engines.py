"""The demo's dataset on every engine: the same bytes, also where parts of a cluster die."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import psutil
import pytest

from deploy.flink import local_cluster
from tests.object_stores import running, stored_digests
from tests.processes import SECONDS, finish, preprocess_command, start, wait_for
from tests.reference import digests
from tests.tools import go_tool

PRISM = "github.com/apache/beam/sdks/v2/go/cmd/prism@v2.77.0"
OPTIONS = ("--format", "both", "--shard-mb", "2")
FLINK = ("--runner", "PortableRunner", "--", *local_cluster.BEAM_ARGUMENTS)


@pytest.fixture(scope="module")
def expected(demo_root: Path) -> dict[str, str]:
    """The digests of the files that one local worker writes."""
    out = demo_root.parent / "expected"
    finish(preprocess_command(demo_root, out, *OPTIONS, "--workers", 1))
    return digests(out)


@pytest.fixture(scope="module")
def found(expected: dict[str, str]) -> dict[str, dict[str, str]]:
    """The digests by engine, to which each test adds its own."""
    return {"direct, 1 worker": expected}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A Flink cluster on three hosts; the folder of its logs."""
    missing = [name for name in ("ip", "java", "mvn") if shutil.which(name) is None]
    if missing or os.geteuid() != 0:
        pytest.skip(f"a Flink cluster needs root and {', '.join(missing) or 'ip, java, mvn'}")
    folder = tmp_path_factory.mktemp("flink")
    with local_cluster.running(folder):
        yield folder
    mains = (local_cluster.TASK_MANAGER, local_cluster.JOB_SERVER, local_cluster.WORKER_POOL)
    commands = [" ".join(each.info["cmdline"] or ()) for each in psutil.process_iter(["cmdline"])]
    assert not [command for command in commands if any(main in command for main in mains)]
    assert not list(Path("/run/netns").glob(f"{local_cluster.BRIDGE}-*"))


def finished_shards(out: Path) -> dict[str, int]:
    """When each shard that is finished was written."""
    indexes = out.glob("*/*.index.parquet")
    shards = [path.with_name(path.name.removesuffix(".index.parquet")) for path in indexes]
    return {str(path): path.stat().st_mtime_ns for path in shards}


def running_jobs() -> list[str]:
    with urllib.request.urlopen(f"{local_cluster.FLINK_URL}/jobs") as answer:
        jobs = json.load(answer)["jobs"]
    return [job["id"] for job in jobs if job["status"] not in ("FINISHED", "CANCELED", "FAILED")]


def cancel_jobs() -> None:
    """As its user would, at Flink; returns when nothing runs there."""
    deadline = time.monotonic() + 60
    for job in running_jobs():
        url = f"{local_cluster.FLINK_URL}/jobs/{job}?mode=cancel"
        urllib.request.urlopen(urllib.request.Request(url, method="PATCH")).close()
    while running_jobs():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def flink_run(demo_root: Path, out: Path) -> subprocess.Popen[str]:
    """A run on the cluster that has written its first shard."""
    process = start(preprocess_command(demo_root, out, *OPTIONS, *FLINK))
    wait_for(lambda: list(out.glob("*/*.index.parquet")), process)
    return process


def test_direct_with_two_workers(
    demo_root: Path, tmp_path: Path, found: dict[str, dict[str, str]]
) -> None:
    finish(preprocess_command(demo_root, tmp_path / "out", *OPTIONS, "--workers", 2))
    found["direct, 2 workers"] = digests(tmp_path / "out")
    assert found["direct, 2 workers"] == found["direct, 1 worker"]


def test_prism(demo_root: Path, tmp_path: Path, found: dict[str, dict[str, str]]) -> None:
    beam = ("--", f"--prism_location={go_tool(PRISM)}", "--environment_type=LOOPBACK")
    command = preprocess_command(demo_root, tmp_path / "out", *OPTIONS)
    result = finish([*command, "--runner", "PrismRunner", *beam])
    assert result["shards_written"] > 0
    found["Prism"] = digests(tmp_path / "out")
    assert found["Prism"] == found["direct, 1 worker"]


def test_flink_on_two_hosts(
    demo_root: Path, tmp_path: Path, cluster: Path, found: dict[str, dict[str, str]]
) -> None:
    result = finish(preprocess_command(demo_root, tmp_path / "out", *OPTIONS, *FLINK))
    assert result["shards_written"] > 0
    found["Flink, 2 hosts"] = digests(tmp_path / "out")
    assert found["Flink, 2 hosts"] == found["direct, 1 worker"]


@pytest.mark.parametrize("kind", ["gs", "s3"])
def test_direct_in_an_object_store(
    kind: str, demo_root: Path, found: dict[str, dict[str, str]]
) -> None:
    with running(kind) as store:
        out = f"{store.url}/out"
        finish(preprocess_command(store.put(demo_root, "in"), out, *OPTIONS, "--workers", 2))
        found[f"direct, {kind}://"] = stored_digests(out)
    assert found[f"direct, {kind}://"] == found["direct, 1 worker"]


def test_flink_in_an_object_store(
    demo_root: Path, cluster: Path, found: dict[str, dict[str, str]]
) -> None:
    with running("gs") as store:
        there = {"STORAGE_EMULATOR_HOST": f"http://{local_cluster.OUTSIDE}:{store.proxy.port}"}
        for host in local_cluster.WORKERS:
            replace_worker_pool(host, cluster, there)
        out = f"{store.url}/out"
        finish(preprocess_command(store.put(demo_root, "in"), out, *OPTIONS, *FLINK))
        found["Flink, gs://"] = stored_digests(out)
    assert found["Flink, gs://"] == found["direct, 1 worker"]


def replace_task_manager(host: str, cluster: Path) -> list[int]:
    killed = local_cluster.kill(host, local_cluster.TASK_MANAGER)
    local_cluster.start_task_manager(host, cluster)
    return killed


def replace_worker_pool(
    host: str, cluster: Path, environment: Mapping[str, str] | None = None
) -> list[int]:
    killed = local_cluster.kill(host, "apache_beam.runners.worker")
    local_cluster.start_worker_pool(host, cluster, environment)
    return killed


@pytest.mark.parametrize("replace", [replace_task_manager, replace_worker_pool])
def test_what_dies_is_replaced_and_its_work_done_again(
    replace: Callable[[str, Path], list[int]],
    demo_root: Path,
    tmp_path: Path,
    cluster: Path,
    expected: dict[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    process = flink_run(demo_root, out)
    before = finished_shards(out)
    killed = replace(local_cluster.WORKERS[0], cluster)
    assert killed
    _, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, errors
    assert digests(out) == expected
    after = finished_shards(out)
    again = sum(after[name] != changed for name, changed in before.items())
    with capsys.disabled():
        print(
            f"\n{replace.__name__}: killed {len(killed)} processes when {len(before)} of "
            f"{len(after)} shards were finished; {again} of these were written again"
        )


def test_a_cancelled_job_goes_on_where_it_stopped(
    demo_root: Path,
    tmp_path: Path,
    cluster: Path,
    expected: dict[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    process = flink_run(demo_root, out)
    cancel_jobs()
    _, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 1
    assert errors.splitlines()[-1].startswith("error: ")
    before = finished_shards(out)
    result = finish(preprocess_command(demo_root, out, *OPTIONS, *FLINK))
    with capsys.disabled():
        print(
            f"\ncancelled when {len(before)} shards were finished; submitted again, "
            f"{result['shards_reused']} were kept, {result['shards_written']} written"
        )
    assert result["shards_reused"] == len(before) > 0
    assert before.items() <= finished_shards(out).items()
    assert digests(out) == expected


def test_every_engine_writes_the_same_files(
    found: dict[str, dict[str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    names = sorted(set().union(*found.values()))
    with capsys.disabled():
        print(f"\n{'sha256':14}{'file':44}{' | '.join(found)}")
        for name in names:
            shown = [made.get(name, "missing")[:12] for made in found.values()]
            same = f"same on all {len(shown)}" if len(set(shown)) == 1 else " ".join(shown)
            print(f"{shown[0]:14}{name:44}{same}")
    assert all(made == found["direct, 1 worker"] for made in found.values())
