"""The demo's dataset on every engine: the same bytes, also where parts of a cluster die."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from deploy.flink import local_cluster
from pipelines.text import aligned
from tests.support.object_stores import running, stored_digests
from tests.support.processes import SECONDS, finish, preprocess_command, start, wait_for
from tests.support.reference import digests
from tests.support.tools import go_tool

PRISM = "github.com/apache/beam/sdks/v2/go/cmd/prism@v2.77.0"
OPTIONS = ("--format", "both", "--shard-mb", "2")
ENGINES = {"direct, 1 worker", "direct, 2 workers", "direct, gs://", "direct, s3://", "Prism",
           "Flink, 2 hosts", "Flink, gs://"}  # fmt: skip
SOME_SHARDS = 8
FLINK = ("--runner", "PortableRunner", "--", *local_cluster.BEAM_ARGUMENTS)


@pytest.fixture(scope="module")
def local(demo_root: Path) -> dict[str, Any]:
    """What one local worker tells of its run."""
    return finish(
        preprocess_command(demo_root, demo_root.parent / "expected", *OPTIONS, "--workers", 1)
    )


@pytest.fixture(scope="module")
def expected(local: dict[str, Any]) -> dict[str, str]:
    """The digests of the files that one local worker writes."""
    return digests(Path(local["output"]))


@pytest.fixture(scope="module")
def found(expected: dict[str, str]) -> dict[str, dict[str, str]]:
    """The digests by engine, to which each test adds its own."""
    return {"direct, 1 worker": expected}


@pytest.fixture(scope="module")
def told(local: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The metrics by engine, to which each test adds its own."""
    return {"direct, 1 worker": local["metrics"]}


@pytest.fixture
def run_on(
    found: dict[str, dict[str, str]], told: dict[str, dict[str, Any]]
) -> Callable[[str, list[str]], None]:
    """Runs a command on an engine, and holds what it makes and tells against the local run."""

    def run(engine: str, command: list[str]) -> None:
        process = start(command)
        output, errors = process.communicate(timeout=SECONDS)
        assert process.returncode == 0, errors
        assert re.search(r"writing shards: 100%.* windows/s", errors), errors
        result = json.loads(output)
        found[engine] = digests_of(result["output"])
        told[engine] = result["metrics"]
        assert found[engine] == found["direct, 1 worker"]
        assert countable(told[engine]) == countable(told["direct, 1 worker"])

    return run


def digests_of(output: str) -> dict[str, str]:
    return stored_digests(output) if "://" in output else digests(Path(output))


def countable(metrics: Mapping[str, Any]) -> dict[str, int]:
    """Metrics without the times themselves."""
    return {
        name: value["count"] if name.startswith("milliseconds_") else value
        for name, value in metrics.items()
    }


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
    assert not (folder / "temporary").exists()


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
    """A run on the cluster that has written some of its shards."""
    process = start(preprocess_command(demo_root, out, *OPTIONS, *FLINK))
    wait_for(lambda: len(finished_shards(out)) >= SOME_SHARDS, process)
    return process


Runs = Callable[[str, list[str]], None]


def test_direct_with_two_workers(demo_root: Path, tmp_path: Path, run_on: Runs) -> None:
    command = preprocess_command(demo_root, tmp_path / "out", *OPTIONS, "--workers", 2)
    run_on("direct, 2 workers", command)


def test_prism(demo_root: Path, tmp_path: Path, run_on: Runs) -> None:
    beam = ("--", f"--prism_location={go_tool(PRISM)}", "--environment_type=LOOPBACK")
    command = preprocess_command(demo_root, tmp_path / "out", *OPTIONS)
    run_on("Prism", [*command, "--runner", "PrismRunner", *beam])
    commands = [" ".join(each.info["cmdline"] or ()) for each in psutil.process_iter(["cmdline"])]
    assert not [each for each in commands if each.startswith(str(go_tool(PRISM)))]


def test_prism_reuses_an_earlier_dataset(
    demo_root: Path, tmp_path: Path, local: dict[str, Any], expected: dict[str, str]
) -> None:
    beam = ("--", f"--prism_location={go_tool(PRISM)}", "--environment_type=LOOPBACK")
    reuse = ("--reuse", local["output"], "--runner", "PrismRunner")
    made = finish(preprocess_command(demo_root, tmp_path / "out", *OPTIONS, *reuse, *beam))
    assert made["reuse"]["windows"] == made["metrics"]["windows_copied"] > 0
    assert digests(tmp_path / "out") == expected


def test_flink_on_two_hosts(demo_root: Path, tmp_path: Path, cluster: Path, run_on: Runs) -> None:
    run_on("Flink, 2 hosts", preprocess_command(demo_root, tmp_path / "out", *OPTIONS, *FLINK))


@pytest.mark.parametrize("kind", ["gs", "s3"])
def test_direct_in_an_object_store(kind: str, demo_root: Path, run_on: Runs) -> None:
    with running(kind) as store:
        root, out = store.put(demo_root, "in"), f"{store.url}/out"
        run_on(f"direct, {kind}://", preprocess_command(root, out, *OPTIONS, "--workers", 2))


def test_flink_in_an_object_store(demo_root: Path, cluster: Path, run_on: Runs) -> None:
    with running("gs") as store:
        there = {"STORAGE_EMULATOR_HOST": f"http://{local_cluster.OUTSIDE}:{store.proxy.port}"}
        for host in local_cluster.WORKERS:
            replace_worker_pool(host, cluster, there)
        root, out = store.put(demo_root, "in"), f"{store.url}/out"
        run_on("Flink, gs://", preprocess_command(root, out, *OPTIONS, *FLINK))


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
    output, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, errors
    assert digests(out) == expected
    after = finished_shards(out)
    again = sum(after[name] != changed for name, changed in before.items())
    result = json.loads(output)
    with capsys.disabled():
        print(
            f"\n{replace.__name__}: killed {len(killed)} processes when {len(before)} of "
            f"{len(after)} shards were finished; the job that began again kept "
            f"{result['shards_kept']} and wrote {result['shards_written']}; {again} of those "
            "finished before were written again"
        )
    assert again == 0
    assert result["shards_kept"] >= len(before)


def test_a_canceled_job_goes_on_where_it_stopped(
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
            f"\ncanceled when {len(before)} shards were finished; submitted again, "
            f"{result['shards_kept']} were kept, {result['shards_written']} written"
        )
    assert result["shards_kept"] == len(before) > 0
    assert before.items() <= finished_shards(out).items()
    assert digests(out) == expected


def test_what_is_refused_on_flink_is_told_as_elsewhere(
    demo_root: Path, tmp_path: Path, cluster: Path
) -> None:
    root = shutil.copytree(demo_root, tmp_path / "in")
    recording = min(root.glob("train_data/*.wav"))
    recording.write_bytes(b"")
    options = (*OPTIONS, "--max-rejects", "0")
    told = []
    for runner in ((), FLINK):
        process = start(preprocess_command(root, tmp_path / "out", *options, *runner))
        _, errors = process.communicate(timeout=SECONDS)
        assert process.returncode == 1
        told.append(errors[errors.index("error: ") :])
    assert told[0] == told[1]
    assert f"{recording.stem}: audio_empty" in told[1]


def skip_unless_all_ran(made: Mapping[str, object]) -> None:
    if missing := ENGINES - set(made):
        pytest.skip(f"nothing was made on {', '.join(sorted(missing))}")


def test_every_engine_tells_the_same_metrics(
    told: dict[str, dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    first = told["direct, 1 worker"]
    table = [["metric", *told]]
    for name in first:
        values = [made[name] for made in told.values()]
        if name.startswith("milliseconds_"):
            values = [f"{each['count']} x {each['sum'] / each['count']:.0f}" for each in values]
        table.append([name, *map(str, values)])
    with capsys.disabled():
        print(f"\n{aligned(table)}")
    assert first["windows_written"] > 0
    assert first["bytes_written"] > 0
    skip_unless_all_ran(told)
    assert all(countable(made) == countable(first) for made in told.values())


def test_every_engine_writes_the_same_files(
    found: dict[str, dict[str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    names = sorted(set().union(*found.values()))
    table = [["file", *found]]
    for name in names:
        shown = [made.get(name, "missing")[:12] for made in found.values()]
        same = len(set(shown)) == 1
        table.append([name, shown[0], *("same" if same else each for each in shown[1:])])
    with capsys.disabled():
        print(f"\n{aligned(table)}")
    skip_unless_all_ran(found)
    assert all(made == found["direct, 1 worker"] for made in found.values())
