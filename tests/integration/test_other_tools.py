"""The tools of others open a dataset as it is, and read what this project's own reader reads.

They do so in an environment of their own: the project needs none of them.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.cards.add import add_cards
from schemas import Dataset
from schemas.names import FORMATS
from tests.support.dataset_factory import ALL_FEATURES, CONFIG, FEW_FRAMES, FRAMES, make_dataset
from tests.support.documented import make_documented
from tests.support.documents import DOCUMENTS, Block, blocks
from tests.support.environments import ROOT, environment

PACKAGES = {
    "tensorflow_datasets": "tensorflow-datasets==4.9.10",
    "datasets": "datasets==5.2.0",
    "mlcroissant": "mlcroissant==1.1.1",
}
BLOCKS = [
    block for page in DOCUMENTS for block in blocks(page) if block.foreign_package in PACKAGES
]
WITH = {
    "both": ["tfds", "hugging face", "hugging face, streaming", "croissant"],
    "tfrecord": ["tfds", "croissant"],
    "hdf5": ["hugging face", "hugging face, streaming", "croissant"],
}
"""The tools that read a dataset, by its formats."""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """TensorFlow Datasets, Hugging Face's datasets and mlcroissant install together."""
    folder = tmp_path_factory.mktemp("tools") / "environment"
    with environment(folder, "tensorflow-cpu", *PACKAGES.values()) as python:
        yield python


def run(python: Path, cwd: Path, *arguments: object) -> str:
    """What a process prints; it may not ask the Hub for anything."""
    settings = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(cwd / "cache"), "TF_CPP_MIN_LOG_LEVEL": "3"}
    found = subprocess.run(
        [str(python), *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stderr
    return found.stdout


@pytest.mark.parametrize("formats", WITH)
def test_every_tool_reads_the_same_arrays(formats: str, python: Path, tmp_path: Path) -> None:
    chosen = FORMATS if formats == "both" else (formats,)
    half = dataclasses.replace(CONFIG, dtype="float16")
    without_validation = {**FRAMES, "validation": ()}
    names = []
    for name, config, frames in (
        ("all features", ALL_FEATURES, FEW_FRAMES),
        ("without notes", CONFIG, FRAMES),
        ("half precision", half, without_validation),
    ):
        root = make_dataset(tmp_path / name, config=config, frames=frames, formats=chosen)
        add_cards(str(root))
        names.append(name)
    for name in names:
        script = ROOT / "tests/support/read_with_tools.py"
        told = run(python, tmp_path, script, tmp_path / name, *WITH[formats]).splitlines()
        assert told == [f"{tool}: done" for tool in WITH[formats]], name


def test_a_wrong_byte_is_a_difference(python: Path, tmp_path: Path) -> None:
    """So that the test above can fail."""
    root = make_dataset(tmp_path / "dataset", formats=("hdf5",))
    add_cards(str(root))
    own = shutil.copytree(root, tmp_path / "own")
    shard = Dataset(root).shards("test", "hdf5")[1]
    data = bytearray((root / shard).read_bytes())
    data[Dataset(root).index(shard).table["log_mel_offset"][0].as_py()] ^= 1
    (root / shard).write_bytes(data)
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from pathlib import Path\n"
        "from tests.support import read_with_tools as tools\n"
        "read = lambda root, split: tools.with_hugging_face(Path('dataset'), split)\n"
        f"print(*tools.differences(read, Path({str(own)!r})))"
    )
    assert re.fullmatch(r"test \d+: log_mel\n", run(python, tmp_path, "-c", code))


def test_recordings_are_loaded_where_there_is_no_hdf5(python: Path, tmp_path: Path) -> None:
    root = make_dataset(tmp_path / "dataset", formats=("tfrecord",))
    add_cards(str(root))
    code = (
        "import datasets, json\n"
        "loaded = datasets.load_dataset('dataset')\n"
        "print(json.dumps({name: list(split['recording_id']) for name, split in loaded.items()}))"
    )
    (names,) = json.loads(run(python, tmp_path, "-c", code)).values()
    assert len(names) == sum(map(len, FRAMES.values()))


@pytest.fixture(scope="module")
def documented(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_documented(tmp_path_factory.mktemp("documented"))


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: f"{block.document}:{block.line}")
def test_the_documented_lines_run(
    block: Block, python: Path, documented: Path, tmp_path: Path
) -> None:
    shutil.copytree(documented / "dataset", tmp_path / "dataset")
    run(python, tmp_path, "-c", block.text)
