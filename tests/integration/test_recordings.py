"""The pipeline as a process, on the demo recordings and on real ones where there are any."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.verification.verify import verify
from schemas import Dataset
from tests.support.reference import check_windows, digests


@pytest.fixture(scope="module", params=["demo", "MUSICNET_ROOT"])
def recordings(request: pytest.FixtureRequest) -> Path:
    if request.param == "demo":
        return request.getfixturevalue("demo_root")
    if "MUSICNET_ROOT" not in os.environ:
        pytest.skip("MUSICNET_ROOT does not name a folder with MusicNet recordings")
    return Path(os.environ["MUSICNET_ROOT"])


def preprocess(root: Path, out: Path, *, workers: int, **environment: str) -> None:
    command = [sys.executable, "-m", "pipelines", "preprocess", "--input", str(root),
               "--output", str(out),
               "--format", "both", "--shard-mb", "8", "--workers", str(workers)]  # fmt: skip
    subprocess.run(command, check=True, env={**os.environ, **environment})


def test_same_bytes_for_any_workers_root_folder_and_process(
    recordings: Path, tmp_path: Path
) -> None:
    preprocess(recordings, tmp_path / "one", workers=1, PYTHONHASHSEED="1")
    moved = shutil.copytree(recordings, tmp_path / "a folder/elsewhere")
    preprocess(moved, tmp_path / "two", workers=2, PYTHONHASHSEED="2", TZ="Asia/Tokyo",
               NPY_DISABLE_CPU_FEATURES="X86_V3 X86_V4", OPENBLAS_CORETYPE="Nehalem")  # fmt: skip
    assert digests(tmp_path / "one") == digests(tmp_path / "two")
    assert verify(str(tmp_path / "one")).defects == ()
    check_windows(recordings, Dataset(tmp_path / "one"))
