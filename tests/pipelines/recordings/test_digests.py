import dataclasses
import shutil
from pathlib import Path

import pytest
import xxhash

from pipelines.planning.plan import PlanOptions
from pipelines.recordings.digests import with_audio_digest
from pipelines.recordings.inspection import Inspected, inspect_recording
from pipelines.recordings.listing import list_sources
from schemas import Dataset, Storage
from schemas.errors import UnreadableFileError
from tests.support.runs import made, options
from tests.support.songs import write_songs
from tests.support.tiny_musicnet import CONFIG


def rows(root: Path) -> list[dict[str, object]]:
    return Dataset(root).inputs().to_pylist()


def files(root: Path) -> list[dict[str, object]]:
    """What any other tool says of the files below a folder."""
    return [
        {"path": name, "nbytes": len(data), "xxh3_128": xxhash.xxh3_128(data).hexdigest()}
        for name, data in sorted(
            (path.relative_to(root).as_posix(), path.read_bytes())
            for path in root.rglob("*")
            if path.is_file()
        )
    ]


def test_a_dataset_says_what_every_file_of_its_input_was(
    tiny_root: Path, tiny_dataset: Path
) -> None:
    assert rows(tiny_dataset) == files(tiny_root)


def test_files_that_were_not_used_have_no_digest(tiny_root: Path, tmp_path: Path) -> None:
    root = shutil.copytree(tiny_root, tmp_path / "in")
    (root / "cover.jpg").write_bytes(b"a picture")
    (root / "train_data/101.wav").write_bytes(b"RIFF")
    made(options(root, tmp_path / "out"))
    unused = {"cover.jpg", "train_data/101.wav", "train_labels/101.csv"}
    assert rows(tmp_path / "out") == [row for row in files(root) if row["path"] not in unused]


def test_songs_have_digests_too(tmp_path: Path) -> None:
    root = tmp_path / "songs"
    write_songs(root)
    plan = PlanOptions(features=dataclasses.replace(CONFIG, features=("log_mel",)))
    made(options(root, tmp_path / "out", plan=plan))
    assert rows(tmp_path / "out") == [row for row in files(root) if row["path"] != "cover.jpg"]


def inspected_first(root: Path) -> Inspected:
    source = list_sources(str(root))[0][0]
    return inspect_recording(source, str(root), CONFIG)[0]


def test_a_file_that_cannot_be_read_to_its_end_has_no_digest(
    tiny_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inspected = inspected_first(tiny_root)

    def fails(*_: object, **__: object) -> None:
        raise UnreadableFileError.of("101.wav", "unreadable", "Input/output error")

    monkeypatch.setattr(Storage, "open", fails)
    assert with_audio_digest(inspected, str(tiny_root)) is inspected
    assert inspected.source.audio_path not in [file.path for file in inspected.inputs]
