"""The job that Dataflow would be given, built against an emulator of its storage."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from apache_beam.portability.api import beam_runner_api_pb2

from schemas import Storage
from tests.object_stores import Store, running
from tests.processes import finish, preprocess_command
from tests.tiny_musicnet import Tiny, write_tiny_musicnet

IMAGE = "europe-docker.pkg.dev/a-project/duet/pipelines:1"


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with running("gs") as store:
        yield store


@pytest.fixture(scope="module")
def job(store: Store, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The job file, as JSON."""
    folder = tmp_path_factory.mktemp("dataflow")
    root = store.put(write_tiny_musicnet(folder / "in", [Tiny("100")]), "in")
    command = preprocess_command(Path("unused"), folder, "--runner", "DataflowRunner")
    command[command.index("--input") + 1] = root
    command[command.index("--output") + 1] = f"{store.url}/out"
    beam = [
        *("--project=a-project", "--region=europe-west1", "--no_auth", "--job_name=duet"),
        *(f"--temp_location={store.url}/temp", f"--template_location={folder / 'job.json'}"),
        *("--sdk_location=container", f"--sdk_container_image={IMAGE}"),
        *("--machine_type=n2-standard-4", "--disk_size_gb=30", "--max_num_workers=20"),
    ]
    result = finish([*command, "--", *beam])
    assert result == {"output": f"{store.url}/out"}
    return json.loads((folder / "job.json").read_text())


@pytest.fixture(scope="module")
def graph(store: Store, job: dict[str, Any]) -> beam_runner_api_pb2.Pipeline:
    """What the job file says is to be run."""
    url = job["environment"]["sdkPipelineOptions"]["options"]["pipelineUrl"]
    storage = Storage(store.url)
    return beam_runner_api_pb2.Pipeline.FromString(
        storage.read_bytes(url.removeprefix(f"{store.url}/"))
    )


def test_workers_are_the_projects_image(
    job: dict[str, Any], graph: beam_runner_api_pb2.Pipeline
) -> None:
    (pool,) = job["environment"]["workerPools"]
    assert pool["workerHarnessContainerImage"] == IMAGE
    assert [image["containerImage"] for image in pool["sdkHarnessContainerImages"]] == [IMAGE]
    assert (pool["machineType"], pool["diskSizeGb"]) == ("n2-standard-4", 30)
    assert pool["autoscalingSettings"]["maxNumWorkers"] == 20
    payloads = [each.payload for each in graph.components.environments.values() if each.payload]
    assert all(IMAGE.encode() in payload for payload in payloads)


def test_nothing_is_pickled_from_the_main_module(job: dict[str, Any], store: Store) -> None:
    (pool,) = job["environment"]["workerPools"]
    staged = [package["name"] for package in pool["packages"]]
    assert staged == ["submission_environment_dependencies.txt"]
    assert not [name for name in Storage(store.url).list_files() if "main_session" in name]


def test_the_graph_is_that_of_every_engine(graph: beam_runner_api_pb2.Pipeline) -> None:
    names = {each.unique_name for each in graph.components.transforms.values()}
    assert {
        "Input", "List", "Spread recordings", "Inspect", "All recordings", "Plan",
        "Start", "Shards", "Spread shards", "Write", "All shards", "Publish",
    } <= {name.partition("/")[0] for name in names}  # fmt: skip


def test_nothing_has_run(store: Store, job: dict[str, Any]) -> None:
    assert Storage(f"{store.url}/out").list_files() == []
