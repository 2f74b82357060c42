"""The job that Dataflow would be given, built against an emulator of its storage."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from apache_beam.portability.api import beam_runner_api_pb2
from google.cloud.dataflow_v1beta3 import TemplateMetadata
from google.protobuf import json_format

from deploy.dataflow import launch
from pipelines.cli import PROGRAM
from schemas import Storage
from schemas.features import FEATURE_NAMES
from tests.support.object_stores import Store, running
from tests.support.processes import ROOT, finish, preprocess_command, refusal, start
from tests.support.tiny_musicnet import Tiny, write_tiny_musicnet

IMAGE = "europe-docker.pkg.dev/a-project/duet/pipelines:1"
METADATA = json.loads(launch.METADATA.read_text())
PARAMETERS = {each["name"]: each for each in METADATA["parameters"]}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with running("gs") as store:
        store.put(write_tiny_musicnet(tmp_path_factory.mktemp("in"), [Tiny("100")]), "in")
        yield store


def beam_options(store: Store, job_file: object) -> list[str]:
    return [
        *("--project=a-project", "--region=europe-west1", "--no_auth", "--job_name=duet"),
        *(f"--temp_location={store.url}/temp", f"--template_location={job_file}"),
        *("--sdk_location=container", f"--sdk_container_image={IMAGE}"),
        *("--machine_type=n2-standard-4", "--disk_size_gb=30", "--max_num_workers=20"),
        "--number_of_worker_harness_threads=2",
    ]


@pytest.fixture(scope="module")
def job(store: Store, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The job file, as JSON."""
    folder = tmp_path_factory.mktemp("dataflow")
    options = ["--runner", "DataflowRunner", "--format", "both", "--shard-mb", "16"]
    command = preprocess_command(Path("unused"), folder, *options)
    command[command.index("--input") + 1] = f"{store.url}/in"
    command[command.index("--output") + 1] = f"{store.url}/out"
    result = finish([*command, "--", *beam_options(store, folder / "job.json")])
    assert result == {"output": f"{store.url}/out"}
    return json.loads((folder / "job.json").read_text())


def graph_of(job: dict[str, Any], store: Store) -> beam_runner_api_pb2.Pipeline:
    """What a job file says is to be run."""
    url = job["environment"]["sdkPipelineOptions"]["options"]["pipelineUrl"]
    storage = Storage(store.url)
    return beam_runner_api_pb2.Pipeline.FromString(
        storage.read_bytes(url.removeprefix(f"{store.url}/"))
    )


@pytest.fixture(scope="module")
def graph(store: Store, job: dict[str, Any]) -> beam_runner_api_pb2.Pipeline:
    return graph_of(job, store)


def test_workers_are_the_projects_image(
    job: dict[str, Any], graph: beam_runner_api_pb2.Pipeline
) -> None:
    (pool,) = job["environment"]["workerPools"]
    assert pool["workerHarnessContainerImage"] == IMAGE
    assert [image["containerImage"] for image in pool["sdkHarnessContainerImages"]] == [IMAGE]
    assert (pool["machineType"], pool["diskSizeGb"]) == ("n2-standard-4", 30)
    assert pool["autoscalingSettings"]["maxNumWorkers"] == 20
    assert pool["numThreadsPerWorker"] == 2
    payloads = [each.payload for each in graph.components.environments.values() if each.payload]
    assert all(IMAGE.encode() in payload for payload in payloads)


def test_nothing_is_pickled_from_the_main_module(job: dict[str, Any], store: Store) -> None:
    (pool,) = job["environment"]["workerPools"]
    staged = [package["name"] for package in pool["packages"]]
    assert staged == ["submission_environment_dependencies.txt"]
    assert not [name for name in Storage(store.url).list_files() if "main_session" in name]


def test_the_graph_is_that_of_every_engine(graph: beam_runner_api_pb2.Pipeline) -> None:
    names = {each.unique_name.rpartition("/")[2] for each in graph.components.transforms.values()}
    assert {
        "Input", "List", "Spread recordings", "Inspect", "Start", "Plan",
        "Shards", "Spread shards", "Write", "Publish",
    } <= {name.partition("/")[0] for name in names}  # fmt: skip


def test_nothing_has_run(store: Store, job: dict[str, Any]) -> None:
    assert Storage(f"{store.url}/out").list_files() == []


def launch_command(*options: str) -> list[str]:
    """Google's launcher gives every option as `--name=value`, sorted."""
    return [sys.executable, str(ROOT / "deploy/dataflow/launch.py"), *sorted(options)]


def parameters_of(store: Store) -> list[str]:
    root, out = f"--input={store.url}/in", f"--output={store.url}/out"
    return [root, out, "--format=both", "--shard_mb=16", "--runner=DataflowRunner"]


def wherever(job: dict[str, Any], store: Store) -> tuple[dict[str, Any], dict[str, str]]:
    """A job and the steps of its graph, without what names this one job and its files."""
    options = job["environment"]["sdkPipelineOptions"]["options"]
    folder = options["staging_location"].rpartition("/")[2]
    text = json.dumps(job).replace(folder, "FOLDER").replace(options["template_location"], "FILE")
    plain = json.loads(text)
    del plain["clientRequestId"]
    del plain["environment"]["sdkPipelineOptions"]["options"]["pipelineProtoHash"]
    steps = graph_of(job, store).components.transforms.values()
    return plain, {step.unique_name: step.spec.urn for step in steps}


def test_the_template_writes_the_job_file_of_preprocess(store: Store, job: dict[str, Any]) -> None:
    name = "staging/template_launches/1/job_object"
    beam = beam_options(store, f"{store.url}/{name}")
    process = start(launch_command(*parameters_of(store), *beam))
    output, errors = process.communicate()
    assert process.returncode == 0, errors
    assert output == f"the job file is written; its job will make {store.url}/out\n"
    launched = json.loads(Storage(store.url).read_bytes(name))
    assert wherever(launched, store) == wherever(job, store)


@pytest.mark.parametrize(
    ("option", "message"),
    [("--output=gs://nowhere/out", "nowhere"), ("--worker_count=3", "unknown option")],
)
def test_what_a_template_cannot_launch_it_says_in_one_line(
    store: Store, option: str, message: str
) -> None:
    beam = beam_options(store, f"{store.url}/staging/template_launches/2/job_object")
    parameters = [each for each in parameters_of(store) if not option.startswith(each[:8])]
    assert message in refusal(launch_command(*parameters, option, *beam))
    assert Storage(f"{store.url}/staging/template_launches/2").list_files() == []


def test_the_options_of_preprocess_are_told_from_beams() -> None:
    given = ["--a_b=x=y,z", "--project=p", "--runner=R", "--no_auth", "--temp_location=gs://t"]
    assert launch.command_line(given, ["a_b"]) == [
        *("preprocess", "--a-b=x=y,z", "--runner=R"),
        *("--", "--project=p", "--no_auth", "--temp_location=gs://t"),
    ]


def test_the_metadata_are_what_dataflow_takes() -> None:
    json_format.ParseDict(METADATA, TemplateMetadata.pb()())
    for wrong in ({"labels": "x"}, {"paramType": "GCS_FOLDER"}, {"isOptional": "yes"}):
        parameters = [METADATA["parameters"][0] | wrong]
        with pytest.raises(json_format.ParseError):
            json_format.ParseDict(METADATA | {"parameters": parameters}, TemplateMetadata.pb()())
    needed = {"name", "label", "helpText"}
    assert all(all(each.get(field) for field in needed) for each in METADATA["parameters"])


ACTIONS = {action.dest: action for action in PROGRAM.parser_of("preprocess").actions}
FOLDER = (["gs://music/in"], ["", "music/in", "s3://music/in"])
VALUES = {
    "input": FOLDER,
    "output": FOLDER,
    "format": (["both"], ["", "wav", "tfrecord,hdf5"]),
    "preset": (["melnet"], ["", "librosa "]),
    "features": (
        [",".join(FEATURE_NAMES), *FEATURE_NAMES],
        ["", "mel", "log_mel,", "log_mel, notes"],
    ),
    "shard_mb": (["8", "12.5"], ["", "-8", "8MB"]),
    "seed": (["7", "-1"], ["", "x", "1.5"]),
    "max_rejects": (["0", "0.05", "1"], ["", "2", "-0.1", "5%"]),
    "tail": (["pad", "drop"], ["", "cut"]),
    "test_split": (["work-disjoint"], ["", "work_disjoint"]),
    "works": (["folders"], ["", "folder"]),
    "splits": (["gs://music/splits.csv"], ["", "splits.csv"]),
    "reuse": (["gs://music/earlier"], ["", "earlier"]),
}
"""Of each parameter of the template: values that are right, and that are not."""


def test_the_parameters_are_options_of_preprocess() -> None:
    assert set(PARAMETERS) == set(VALUES) <= set(ACTIONS)
    needed = {name for name, each in PARAMETERS.items() if not each.get("isOptional")}
    assert needed == {dest for dest, action in ACTIONS.items() if action.required}


@pytest.mark.parametrize("name", VALUES)
def test_a_parameter_takes_what_preprocess_does(name: str) -> None:
    action, (right, wrong) = ACTIONS[name], VALUES[name]
    known = [*(action.choices or []), action.default]
    right = [*right, *(str(each) for each in known if each is not None)]
    for value in right:
        rest = [f"--{each}=gs://x/y" for each in ("input", "output") if each != name]
        PROGRAM.parser_of("preprocess").parse_args([*rest, f"--{name.replace('_', '-')}={value}"])
    (pattern,) = PARAMETERS[name]["regexes"]
    assert all(re.search(pattern, value) for value in right)
    assert not any(re.search(pattern, value) for value in wrong)
