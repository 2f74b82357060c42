"""What cannot be run here is held against validators: images, clusters, and a job's launch."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import zipfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from apache_beam.options.pipeline_options import (
    DebugOptions,
    PortableOptions,
    SetupOptions,
    WorkerOptions,
)

from deploy.dataflow import launch
from deploy.flink import local_cluster
from musicnet_duet.command import split_at_dashes
from pipelines.cli import build_parser
from pipelines.engine.runner import checked_options
from tests.support.processes import ROOT
from tests.support.tools import go_tool, maven_jar

COMPOSE = "github.com/compose-spec/compose-go/v2/cmd@v2.9.1"
OPERATOR = "org.apache.flink:flink-kubernetes-operator-api:1.10.0"
KUBERNETES = "1.30"
DEPLOY = ROOT / "deploy"
LAUNCHER = "deploy/dataflow/launch.sh"
LAUNCH = ROOT / LAUNCHER
MANIFEST = list(yaml.safe_load_all((DEPLOY / "flink/kubernetes.yaml").read_text()))


@pytest.mark.parametrize(
    ("linter", "name"),
    [
        ("hadolint", "Dockerfile"),
        ("hadolint", "dataflow/Dockerfile"),
        ("shellcheck", "dataflow/launch.sh"),
    ],
)
def test_a_file_is_what_a_linter_likes(linter: str, name: str) -> None:
    command = [Path(sys.executable).with_name(linter), DEPLOY / name]
    run = subprocess.run(command, capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (0, "")


def test_the_image_has_every_file_that_it_copies() -> None:
    copied = re.findall(r"^COPY (.+) \S+$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    names = [name for names in copied for name in names.split()]
    kept = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    assert sorted(kept) == sorted(["*", *(f"!{name}" for name in names)])
    assert all((ROOT / name).exists() for name in names)


def test_the_template_is_the_image_with_what_launches_it() -> None:
    lines = (DEPLOY / "dataflow/Dockerfile").read_text().splitlines()
    steps = [line.split() for line in lines if line and not line.startswith("#")]
    names = [name for name, *_ in steps]
    assert names == ["ARG", "FROM", "FROM", "COPY", "COPY", "ENV"]  # Beam's entry point stays.
    assert steps[2] == ["FROM", "${IMAGE}"]
    *files, folder = steps[4][1:]
    assert all((DEPLOY / "dataflow" / name).exists() for name in files)
    assert launch.METADATA.name in files
    assert steps[5][1] == f"FLEX_TEMPLATE_PYTHON_PY_FILE={folder}{Path(launch.__file__).name}"


def test_the_launcher_is_for_the_images_python() -> None:
    images = [(DEPLOY / name).read_text() for name in ("Dockerfile", "dataflow/Dockerfile")]
    (python,) = re.findall(r"beam_python(\d)\.(\d+)_sdk", images[0])
    assert re.findall(r"python(\d)(\d+)-template", images[1]) == [python]


def compose(path: Path) -> subprocess.CompletedProcess[str]:
    command = [str(go_tool(COMPOSE)), "-no-interpolation", str(path)]
    return subprocess.run(command, capture_output=True, text=True)


def test_the_compose_file_is_a_compose_model(tmp_path: Path) -> None:
    run = compose(DEPLOY / "flink/compose.yaml")
    assert run.returncode == 0, run.stderr
    services = yaml.safe_load(run.stdout)["services"]
    pools = [each["network_mode"] for name, each in services.items() if "pool" in name]
    assert pools == ["service:task-manager-1", "service:task-manager-2"]
    wrong = (DEPLOY / "flink/compose.yaml").read_text().replace("depends_on", "depend_on")
    (tmp_path / "compose.yaml").write_text(wrong)
    assert compose(tmp_path / "compose.yaml").returncode != 0


def strict(schema: Any) -> Any:
    """A schema that takes no properties but those that it names."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: strict(each) for name, each in schema.items()}
    if isinstance(made.get("properties"), dict) and "type" in made:
        made.setdefault("additionalProperties", False)
    return made


def test_the_flink_deployment_is_what_the_operator_takes() -> None:
    (deployment,) = [each for each in MANIFEST if each["kind"] == "FlinkDeployment"]
    with zipfile.ZipFile(maven_jar(OPERATOR)) as jar:
        name = "META-INF/fabric8/flinkdeployments.flink.apache.org-v1.yml"
        (version,) = yaml.safe_load(jar.read(name))["spec"]["versions"]
    schema = strict(version["schema"]["openAPIV3Schema"]["properties"]["spec"])
    jsonschema.validate(deployment["spec"], schema)
    wrong = deployment["spec"] | {"taskManagers": {}}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, schema)


@pytest.mark.parametrize("number", range(len(MANIFEST)))
def test_every_other_object_is_what_kubernetes_takes(number: int) -> None:
    if MANIFEST[number]["kind"] != "FlinkDeployment":
        kubernetes_validate.validate(MANIFEST[number], KUBERNETES, strict=True)
        wrong = MANIFEST[number] | {"spec": MANIFEST[number]["spec"] | {"replica": 1}}
        with pytest.raises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(wrong, KUBERNETES, strict=True)


def test_a_job_server_that_listens_everywhere_is_told_of_by_its_name() -> None:
    """Else it tells those that submit a job to bring its files to the address it listens at."""
    (server,) = [each for each in MANIFEST if each["kind"] == "Deployment"]
    (job,) = [each for each in MANIFEST if each["kind"] == "Job"]
    (service,) = [each for each in MANIFEST if each["kind"] == "Service"]
    (container,) = server["spec"]["template"]["spec"]["containers"]
    assert "--job-host=0.0.0.0" in container["args"]
    arguments = job["spec"]["template"]["spec"]["containers"][0]["args"]
    own, beam = split_at_dashes(["preprocess", *arguments])
    build_parser().parse_args(own)
    options = checked_options(beam).view_as(PortableOptions)
    name, ports = service["metadata"]["name"], {each["port"] for each in service["spec"]["ports"]}
    for endpoint in (options.job_endpoint, options.artifact_endpoint):
        host, _, port = endpoint.partition(":")
        assert (host, int(port) in ports) == (name, True)


def test_every_file_names_the_same_versions() -> None:
    pinned = re.search(r"^apache-beam==(.+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert pinned is not None
    files = [DEPLOY / "Dockerfile", DEPLOY / "flink/compose.yaml", DEPLOY / "flink/kubernetes.yaml"]
    text = "\n".join(path.read_text() for path in files)
    beam = re.findall(r"apache/beam_\S+?:(\S+)", text)
    flink = re.findall(r"(?:flink:|beam_flink)(\d+\.\d+)", text)
    assert set(beam) == {pinned[1]}
    assert len(set(flink)) == 1
    assert f"v{flink[0].replace('.', '_')}" in text


def test_a_cluster_outlives_what_dies_as_the_one_that_was_tried_does() -> None:
    """By default a job ends with its first TaskManager, and begun again finds too few buffers."""
    composed = yaml.safe_load((DEPLOY / "flink/compose.yaml").read_text())
    (deployment,) = [each for each in MANIFEST if each["kind"] == "FlinkDeployment"]
    settings = {key: str(value) for key, value in deployment["spec"]["flinkConfiguration"].items()}
    given = yaml.safe_load(composed["x-flink"]["environment"]["FLINK_PROPERTIES"])
    for each in (settings, {key: str(value) for key, value in given.items()}):
        tried = yaml.safe_load(local_cluster.CONF)
        buffers = "taskmanager.network.sort-shuffle.min-buffers"
        attempts = "restart-strategy.fixed-delay.attempts"
        assert each["restart-strategy.type"] == tried["restart-strategy"]
        assert each[attempts] == str(tried[attempts])
        assert each[buffers] == str(tried[buffers])


def commands_of(guide: Path) -> list[list[str]]:
    """The commands of a guide, as a shell would split them, without what is said of each."""
    blocks = re.findall(r"(?:^    .+\n)+", guide.read_text(), re.MULTILINE)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def test_the_guide_calls_the_pipeline_as_it_can_be_called() -> None:
    told = [words for words in commands_of(DEPLOY / "README.md") if "preprocess" in words]
    calls = [words[words.index("preprocess") :] for words in told]
    for words in commands_of(DEPLOY / "README.md"):
        if words[:4] == ["docker", "compose", "--file", "deploy/flink/compose.yaml"]:
            services = yaml.safe_load((ROOT / words[3]).read_text())["services"]
            if words[4] == "run":
                assert services[words[5]]["entrypoint"].split()[-1] == "preprocess"
                calls.append(["preprocess", *words[6:]])
    assert len(calls) == 5
    for call in calls:
        own, beam = split_at_dashes(call)
        build_parser().parse_args(own)
        checked_options(beam)


def test_the_guide_names_what_is_there() -> None:
    names = {f"{each['kind'].lower()}/{each['metadata']['name']}" for each in MANIFEST}
    words = [word for command in commands_of(DEPLOY / "README.md") for word in command]
    files = [word for word in words if re.match(r"deploy/", word)]
    assert len(files) > 5
    assert all((ROOT / name).exists() for name in files)
    assert {word for word in words if word.startswith("job/")} <= names
    (launch_command,) = [
        each for each in commands_of(DEPLOY / "README.md") if "PROJECT=..." in each
    ]
    given = [
        word.partition("=")[0] for word in launch_command[launch_command.index(LAUNCHER) + 3 :]
    ]
    assert given
    assert set(given) <= set(launch.parameter_names(launch.METADATA.read_bytes()))


STAND_IN = """\
#!/bin/sh
{ printf '%s\\t' "${0##*/}" "$@"; echo; } >>"$CALLS"
[ "${0##*/} $1" != "$FAILING" ]
"""
"""For a program: it writes down how it was called, and fails where it is told to."""

ENVIRONMENT = {"PROJECT": "a-project", "REGION": "europe-west1", "BUCKET": "music",
               "REPOSITORY": "duet", "TAG": "1"}  # fmt: skip
ARGUMENTS = ["gs://music/in", "gs://music/out", "features=log_mel,notes", "shard_mb=16"]
REGISTRY = "europe-west1-docker.pkg.dev/a-project/duet"
IMAGES = (f"{REGISTRY}/musicnet-duet:1", f"{REGISTRY}/musicnet-duet-dataflow:1")


def run_launch(
    folder: Path, environment: dict[str, str], arguments: list[str], failing: str = ""
) -> tuple[subprocess.CompletedProcess[str], list[list[str]]]:
    """How launch.sh ended, and what it called docker and gcloud with."""
    for name in ("docker", "gcloud"):
        (folder / name).write_text(STAND_IN)
        (folder / name).chmod(0o755)
    calls = folder / "calls"
    calls.touch()
    own = {"PATH": f"{folder}:{os.environ['PATH']}", "CALLS": str(calls), "FAILING": failing}
    run = subprocess.run(
        [LAUNCH, *arguments], env=own | environment, capture_output=True, text=True, cwd=folder
    )
    return run, [line.rstrip("\t").split("\t") for line in calls.read_text().splitlines()]


def flags_of(call: list[str]) -> dict[str, list[str]]:
    flags = defaultdict(list)
    for argument in call:
        if argument.startswith("--"):
            name, _, value = argument.removeprefix("--").partition("=")
            flags[name].append(value)
    return flags


def items_of(value: str) -> list[str]:
    """The items of a list as gcloud reads it: parted by commas, or by what stands between ^ and ^.

    `gcloud topic escaping` has the rule.
    """
    delimiter = ","
    if value.startswith("^"):
        delimiter, _, value = value[1:].partition("^")
    return value.split(delimiter)


def test_the_launch_builds_and_pushes_both_images(tmp_path: Path) -> None:
    run, calls = run_launch(tmp_path, ENVIRONMENT, ARGUMENTS)
    assert run.returncode == 0, run.stderr
    first, second = (flags_of(call) for call in calls if call[:2] == ["docker", "build"])
    assert [call[2:] for call in calls if call[:2] == ["docker", "push"]] == [
        [each] for each in IMAGES
    ]
    assert (first["tag"], second["tag"]) == ([IMAGES[0]], [IMAGES[1]])
    assert Path(first["file"][0]).samefile(DEPLOY / "Dockerfile")
    assert second["build-arg"] == [f"IMAGE={IMAGES[0]}"]
    contexts = [Path(call[-1]) for call in calls if call[:2] == ["docker", "build"]]
    assert contexts[0].samefile(ROOT)
    assert contexts[1].samefile(DEPLOY / "dataflow")


def test_the_launch_makes_a_template_and_runs_it(tmp_path: Path) -> None:
    build, run = run_launch(tmp_path, ENVIRONMENT, ARGUMENTS)[1][-2:]
    assert build[:4] == ["gcloud", "dataflow", "flex-template", "build"]
    assert run[:4] == ["gcloud", "dataflow", "flex-template", "run"]
    made, ran = flags_of(build), flags_of(run)
    assert ran["template-file-gcs-location"] == [build[4]]
    assert made["image"] == [IMAGES[1]]
    assert Path(made["metadata-file"][0]).samefile(launch.METADATA)
    assert made["project"] == ran["project"] == ["a-project"]
    assert ran["region"] == ["europe-west1"]
    assert ran["worker-machine-type"] == ["n2-standard-4"]
    assert ran["max-workers"] == ["10"]


def test_the_template_understands_what_the_launch_passes(tmp_path: Path) -> None:
    """What Google's launcher makes options of, as the template and then Beam read them."""
    flags = flags_of(run_launch(tmp_path, ENVIRONMENT, ARGUMENTS)[1][-1])
    passed = flags["parameters"] + flags["additional-pipeline-options"]
    arguments = [f"--{item}" for value in passed for item in items_of(value)]
    names = launch.parameter_names(launch.METADATA.read_bytes())
    own, beam = split_at_dashes(launch.command_line(arguments, names))
    options = build_parser().parse_args(own)
    assert (options.input, options.output) == ("gs://music/in", "gs://music/out")
    assert (options.features, options.shard_mb) == (("log_mel", "notes"), 16)
    options = checked_options(beam)
    assert options.view_as(WorkerOptions).sdk_container_image == IMAGES[1]
    assert options.view_as(WorkerOptions).disk_size_gb == 30
    assert options.view_as(WorkerOptions).autoscaling_algorithm is None
    assert options.view_as(DebugOptions).number_of_worker_harness_threads == 2
    assert options.view_as(SetupOptions).sdk_location == "container"


def test_the_launch_takes_another_number_of_workers(tmp_path: Path) -> None:
    call = run_launch(tmp_path, ENVIRONMENT | {"MAX_WORKERS": "3"}, ARGUMENTS)[1][-1]
    assert flags_of(call)["max-workers"] == ["3"]


@pytest.mark.parametrize("missing", ["PROJECT", "REGION", "BUCKET", "REPOSITORY", "OUTPUT", "="])
def test_the_launch_says_in_one_line_what_is_missing(tmp_path: Path, missing: str) -> None:
    environment = {name: value for name, value in ENVIRONMENT.items() if name != missing}
    arguments = {"OUTPUT": ARGUMENTS[:1], "=": [*ARGUMENTS, "seed"]}.get(missing, ARGUMENTS)
    run, calls = run_launch(tmp_path, environment, arguments)
    assert (run.returncode, run.stdout, calls) == (2, "", [])
    (line,) = run.stderr.splitlines()
    reason, _, usage = line.partition("; ")
    assert reason.startswith("error: ")
    assert missing in reason
    assert usage.startswith("usage: ")


@pytest.mark.parametrize(
    ("failing", "done"), [("docker build", 1), ("docker push", 2), ("gcloud dataflow", 5)]
)
def test_the_launch_stops_where_a_command_fails(tmp_path: Path, failing: str, done: int) -> None:
    run, calls = run_launch(tmp_path, ENVIRONMENT, ARGUMENTS, failing)
    assert run.returncode != 0
    assert len(calls) == done
