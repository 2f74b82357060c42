"""What cannot be run here is held against validators: the image, and clusters that use it."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from tests.processes import ROOT
from tests.tools import go_tool, maven_jar

COMPOSE = "github.com/compose-spec/compose-go/v2/cmd@v2.9.1"
OPERATOR = "org.apache.flink:flink-kubernetes-operator-api:1.10.0"
KUBERNETES = "1.30"
DEPLOY = ROOT / "deploy"
MANIFEST = list(yaml.safe_load_all((DEPLOY / "flink/kubernetes.yaml").read_text()))


def test_the_image_is_what_a_linter_likes() -> None:
    linter = Path(sys.executable).with_name("hadolint")
    run = subprocess.run([linter, DEPLOY / "Dockerfile"], capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (0, "")


def test_the_image_has_every_file_that_it_copies() -> None:
    copied = re.findall(r"^COPY (.+) \S+$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    names = [name for names in copied for name in names.split()]
    kept = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    assert sorted(kept) == sorted(["*", *(f"!{name}" for name in names)])
    assert all((ROOT / name).exists() for name in names)


def compose(path: Path) -> subprocess.CompletedProcess[str]:
    command = [go_tool(COMPOSE), "-no-interpolation", path]
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
