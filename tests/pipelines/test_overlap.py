import os
from pathlib import Path

import pytest

from pipelines.errors import PipelineError
from pipelines.overlap import require_apart, require_outside_datasets
from schemas import Storage, StoreError
from schemas.manifest import MANIFEST_FILE
from tests.support.dataset_factory import make_dataset


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


@pytest.mark.parametrize("output", ["data/sub", "data/a/new/out", "link/out", "data/../data/out"])
def test_an_output_within_a_dataset_is_rejected(
    output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make_dataset(tmp_path / "data")
    (tmp_path / "link").symlink_to("data")
    message = f"^{output}: lies within {tmp_path.resolve()}/data, which is a dataset's own folder"
    with pytest.raises(PipelineError, match=message):
        require_outside_datasets(output)


def test_an_output_may_be_a_dataset_or_lie_beside_one(tmp_path: Path) -> None:
    make_dataset(tmp_path / "data")
    for output in ("data", "data/", "data-2", "other/data"):
        require_outside_datasets(f"{tmp_path}/{output}")


@pytest.mark.parametrize("root", ["memory://within/data", "memory:///within/data", "memory://data"])
def test_an_output_within_a_dataset_of_a_store_is_rejected(root: str) -> None:
    Storage(root).write_bytes(MANIFEST_FILE, b"{}")
    for output in (f"{root}/sub", f"{root}//a/b/"):
        with pytest.raises(PipelineError, match=f"lies within {root}, which is a dataset's own"):
            require_outside_datasets(output)
    for output in (root, f"{root}-2", "memory://elsewhere/data"):
        require_outside_datasets(output)


def test_what_a_store_does_not_show_is_no_dataset(monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(_: Storage, name: str) -> bool:
        raise StoreError(f"{name}: denied")

    monkeypatch.setattr(Storage, "exists", deny)
    require_outside_datasets("memory://hidden/a/b")
