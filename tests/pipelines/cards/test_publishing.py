"""Cards of a run: resumed as the rest of its work, and never in place of what is not ours."""

from pathlib import Path

import pytest

from pipelines.build_folder import LOCK_FILE, open_build_folder
from pipelines.errors import PipelineError
from pipelines.planning.plan import PlanOptions
from pipelines.preprocessing import PreprocessOptions, preprocess
from pipelines.verification.verify import verify
from schemas import Dataset, Storage
from schemas.manifest import MANIFEST_FILE
from schemas.names import CARD_FILES, README_FILE, README_START
from schemas.tables import RECORDINGS_FILE
from tests.support.reference import digests
from tests.support.tiny_musicnet import CONFIG


def options(root: Path, out: Path) -> PreprocessOptions:
    plan = PlanOptions(features=CONFIG, shard_megabytes=0.1)
    formats = ("tfrecord", "hdf5")
    return PreprocessOptions(input_root=str(root), output=str(out), plan=plan, formats=formats)


def test_a_run_that_stopped_before_its_manifest_is_resumed(
    tiny_root: Path, tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, write = tmp_path / "out", Storage.write_bytes

    def stopped(self: Storage, name: str, data: bytes) -> None:
        if name == MANIFEST_FILE:
            raise PipelineError("stopped")
        write(self, name, data)

    with monkeypatch.context() as patch:
        patch.setattr(Storage, "write_bytes", stopped)
        with pytest.raises(PipelineError, match="stopped"):
            preprocess(options(tiny_root, out))
    assert set(CARD_FILES) <= set(digests(out))
    preprocess(options(tiny_root, out))
    assert digests(out) == digests(tiny_dataset)


def test_a_readme_that_appears_during_a_run_is_kept(
    tiny_root: Path, tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, write = tmp_path / "out", Storage.write_bytes

    def beside(self: Storage, name: str, data: bytes) -> None:
        write(self, name, data)
        if name == RECORDINGS_FILE:
            (out / README_FILE).write_text("my own words")

    monkeypatch.setattr(Storage, "write_bytes", beside)
    preprocess(options(tiny_root, out))
    assert (out / README_FILE).read_text() == "my own words"
    assert README_FILE not in Dataset(out).manifest.files
    assert not verify(str(out)).defects
    ours = {**digests(tiny_dataset), README_FILE: digests(out)[README_FILE]}
    assert digests(out) == {**ours, MANIFEST_FILE: digests(out)[MANIFEST_FILE]}


@pytest.mark.parametrize("overwrite", [False, True])
def test_unfinished_work_may_hold_cards_but_no_readme_of_others(
    overwrite: bool, tmp_path: Path
) -> None:
    storage = Storage(tmp_path / "out")
    storage.write_bytes(LOCK_FILE, b"")
    for name in CARD_FILES:
        storage.write_bytes(name, README_START)
    with open_build_folder(storage.root, overwrite=overwrite):
        assert set(storage.list_files()) & set(CARD_FILES) == set(() if overwrite else CARD_FILES)
    storage.write_bytes(LOCK_FILE, b"")
    storage.write_bytes(README_FILE, b"---\nlicense: mine\n---\n")
    with (
        pytest.raises(PipelineError, match=r"is not empty .* \(there is README\.md\)"),
        open_build_folder(storage.root, overwrite=overwrite),
    ):
        pytest.fail("a README of others was taken for our own")
    assert storage.read_bytes(README_FILE) == b"---\nlicense: mine\n---\n"
