"""`duet card`: what it adds is what `preprocess` writes, and it spoils nothing."""

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.build_folder import locked_dataset
from pipelines.cards.add import add_cards
from pipelines.cli import main
from pipelines.errors import PipelineError
from pipelines.verification.verify import verify
from schemas import DamagedDataError, Dataset, DatasetError, Storage
from schemas.manifest import MANIFEST_FILE, FileEntry
from schemas.names import CARD_FILES, SPLITS
from schemas.shards import index_file
from tests.support.older_datasets import without_cards
from tests.support.reference import digests


@pytest.fixture
def older(tiny_dataset: Path, tmp_path: Path) -> Path:
    return without_cards(tiny_dataset, tmp_path / "older")


@pytest.fixture
def copy(tiny_dataset: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_dataset, tmp_path / "copy")


def test_an_older_dataset_becomes_what_preprocess_makes(older: Path, tiny_dataset: Path) -> None:
    before = digests(older)
    assert not verify(str(older)).defects
    result = add_cards(str(older))
    assert (result.files, result.kept) == (CARD_FILES, ())
    assert digests(older) == digests(tiny_dataset)
    # All that the older dataset held is there, unchanged but for the list of files.
    after = digests(older)
    assert {name for name in after if after[name] != before.get(name)} == {
        MANIFEST_FILE,
        *CARD_FILES,
    }
    assert not verify(str(older)).defects


def test_a_second_time_changes_nothing(older: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add_cards(str(older))
    before = digests(older)
    monkeypatch.setattr(Storage, "write_bytes", None)
    assert add_cards(str(older)).files == CARD_FILES
    assert digests(older) == before


def test_a_run_that_is_stopped_anywhere_leaves_a_whole_dataset(
    older: Path, tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(len(CARD_FILES) + 1):
        root = shutil.copytree(older, tmp_path / str(number))
        before = digests(root)
        with monkeypatch.context() as patch:
            patch.setattr(Storage, "write_bytes", stopped_at(number))
            with pytest.raises(KeyboardInterrupt):
                add_cards(str(root))
        after = digests(root)
        assert after.items() >= before.items()
        assert len(after) == len(before) + number
        assert Dataset(root).window("train", 0).features
        add_cards(str(root))
        assert digests(root) == digests(tiny_dataset)


def stopped_at(number: int) -> Callable[[Storage, str, bytes], None]:
    """A `write_bytes` that writes as many files, and is stopped at the next."""
    write, names = Storage.write_bytes, list[str]()

    def counted(self: Storage, name: str, data: bytes) -> None:
        if len(names) == number:
            raise KeyboardInterrupt
        names.append(name)
        write(self, name, data)

    return counted


@pytest.mark.parametrize("name", CARD_FILES)
def test_verify_finds_a_changed_card(name: str, copy: Path) -> None:
    (copy / name).write_bytes((copy / name).read_bytes().replace(b"e", b"E", 1))
    (defect,) = verify(str(copy)).defects
    assert str(defect) == f"{name}: differs from its sha256 in dataset.json; concerns no window"
    (copy / name).unlink()
    (defect,) = verify(str(copy)).defects
    assert str(defect) == f"{name}: is missing; concerns no window"
    add_cards(str(copy))
    assert not verify(str(copy)).defects


@pytest.mark.parametrize("name", CARD_FILES)
@pytest.mark.parametrize("has_cards", [True, False])
def test_a_file_that_is_not_ours_is_never_replaced(
    name: str,
    has_cards: bool,
    older: Path,
    copy: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    root = copy if has_cards else older
    (root / name).write_text("my own words")
    for _ in range(2):
        assert main(["card", str(root)]) == 0
        told = capsys.readouterr()
        assert name not in told.out
        assert f"{name}: was left as it is" in told.err
        assert (root / name).read_text() == "my own words"
        assert set(CARD_FILES) - set(Dataset(root).manifest.files) == {name}
    (root / name).unlink()
    assert main(["card", str(root), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["files"] == list(CARD_FILES)
    assert not verify(str(root)).defects


def test_a_card_of_another_version_is_replaced(copy: Path, tiny_dataset: Path) -> None:
    """The manifest vouches for its bytes, so that it is ours."""
    name, data = CARD_FILES[0], b"{}"
    (copy / name).write_bytes(data)
    manifest = Dataset(copy).manifest
    files = {**manifest.files, name: FileEntry.of(data)}
    earlier = dataclasses.replace(manifest, files=files)
    (copy / MANIFEST_FILE).write_bytes(earlier.to_bytes())
    assert add_cards(str(copy)).kept == ()
    assert digests(copy) == digests(tiny_dataset)


@pytest.mark.parametrize("damaged", ["recordings.parquet", "index"])
def test_nothing_is_made_of_damaged_tables(damaged: str, older: Path) -> None:
    name = damaged
    if damaged == "index":
        name = index_file(Dataset(older).shards(SPLITS[-1], "tfrecord")[-1])
    (older / name).write_bytes((older / name).read_bytes()[:-1])
    before = digests(older)
    with pytest.raises(DamagedDataError, match=rf"{name}: differs .* duet verify"):
        add_cards(str(older))
    assert digests(older) == before


def test_no_dataset_gets_no_cards(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no whole dataset here"):
        add_cards(str(tmp_path / "nowhere"))
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_may_replace_the_dataset_is_not_met(older: Path) -> None:
    with locked_dataset(str(older)), pytest.raises(PipelineError, match="another run is writing"):
        add_cards(str(older))
    assert not (older.parent / f".{older.name}.lock").exists()
    add_cards(str(older))


def test_verify_lets_people_write_a_readme_of_their_own(older: Path) -> None:
    (older / "README.md").write_text("my own words")
    assert not verify(str(older)).defects
    (older / "croissant.txt").write_text("not a card")
    (defect,) = verify(str(older)).defects
    assert str(defect) == (
        "croissant.txt: does not belong to the dataset; remove it; concerns no window"
    )


def test_cards_that_are_not_listed_yet_have_a_remedy(older: Path, tiny_dataset: Path) -> None:
    """As a run that was killed leaves them."""
    for name in CARD_FILES:
        shutil.copy(tiny_dataset / name, older / name)
    told = {str(defect) for defect in verify(str(older)).defects}
    assert told == {
        f"{name}: does not belong to the dataset; run duet card again, or remove it; "
        "concerns no window"
        for name in CARD_FILES
        if name != "README.md"
    }
    assert add_cards(str(older)).kept == ()
    assert digests(older) == digests(tiny_dataset)
