"""A shard has the same bytes whatever instructions the CPU offers to the libraries."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from schemas.shards import FORMATS, shard_file

VARIANTS = {
    "log": {"NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4"},
    "sgemm": {"OPENBLAS_CORETYPE": "Nehalem"},
}
"""By what it changes in numpy: a CPU's vector instructions, and the CPU that OpenBLAS assumes."""


def written(input_root: Path, build_root: Path, **environment: str) -> dict[str, Any]:
    """What `tests.support.one_shard` prints in a process of that environment."""
    switches = {name for variant in VARIANTS.values() for name in variant}
    inherited = {name: value for name, value in os.environ.items() if name not in switches}
    run = subprocess.run(
        [sys.executable, "-m", "tests.support.one_shard", input_root, build_root],
        env={**inherited, **environment},
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(run.stdout)


@pytest.fixture(scope="module")
def plain(tiny_root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    if "avx2" not in Path("/proc/cpuinfo").read_text().split():
        pytest.skip("this CPU has none of the instructions that could be switched off")
    return written(tiny_root, tmp_path_factory.mktemp("plain"))


@pytest.mark.parametrize("control", VARIANTS)
def test_a_shard_has_the_same_bytes_on_another_cpu(
    control: str, plain: dict[str, Any], tiny_root: Path, tmp_path: Path
) -> None:
    """A function of numpy that does change shows that the variant was chosen."""
    other = written(tiny_root, tmp_path, **VARIANTS[control])
    assert other[control] != plain[control]
    assert other["files"] == plain["files"]
    assert {shard_file("train", 0, 1, each) for each in FORMATS} <= other["files"].keys()
