import os
from pathlib import Path

import pytest

from pipelines.errors import PipelineError
from pipelines.overlap import require_apart


@pytest.mark.parametrize(
    ("input_root", "output", "told"),
    [
        ("in", "in", "it is the input folder"),
        ("in", "in/", "it is the input folder"),
        ("in", "link", "it is the input folder"),
        ("link", "in", "it is the input folder"),
        ("in", "in/out", "it lies within the input folder"),
        ("in", "in/a/new/out", "it lies within the input folder"),
        ("in", "link/out", "it lies within the input folder"),
        ("link", "in/out", "it lies within the input folder"),
        ("in", "in/../in/out", "it lies within the input folder"),
        ("in/a", "in", "lies within it"),
        ("link/a", "in", "lies within it"),
        ("in/a", "link", "lies within it"),
        ("missing/a", "missing", "lies within it"),
        ("memory://x/in", "memory://x/in/", "it is the input folder"),
        ("memory://x/in", "memory://x/in/out", "it lies within the input folder"),
        ("memory://x/in/a", "memory://x//in", "lies within it"),
        ("gs://x/in", "gcs://x/in", "it is the input folder"),
        ("s3a://x/in", "s3://x/in/out", "it lies within the input folder"),
    ],
)
def test_folders_that_overlap_are_rejected(
    input_root: str, output: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in/a").mkdir(parents=True)
    (tmp_path / "link").symlink_to("in")
    with pytest.raises(PipelineError, match=f"^{output}: cannot be a dataset's folder: .*{told}"):
        require_apart(input_root, output)


@pytest.mark.parametrize(
    ("input_root", "output"),
    [
        ("in", "out"),
        ("in", "input"),
        ("in", "in/../out"),
        ("in", "link/../out"),
        ("in", "memory://x/in"),
        ("memory://x/in", "memory://x/input"),
        ("memory://x", "memory://y"),
    ],
)
def test_folders_side_by_side_are_apart(
    input_root: str, output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    (tmp_path / "link").symlink_to("in")
    require_apart(input_root, output)


def test_a_folder_has_one_identity_whatever_its_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a disk is mounted twice, or a disk does not tell case apart."""
    for name in ("in", "IN"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(
        os.path, "samestat", lambda first, second: first.st_nlink == second.st_nlink
    )
    with pytest.raises(PipelineError, match="it is the input folder"):
        require_apart(str(tmp_path / "in"), str(tmp_path / "IN"))
