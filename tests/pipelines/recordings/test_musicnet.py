from pathlib import Path

import pytest

from pipelines.errors import PipelineError
from pipelines.recordings.musicnet import list_sources


def touch(root: Path, *names: str) -> str:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return str(root)


def test_recordings_come_sorted_by_the_bytes_of_their_ids(tmp_path: Path) -> None:
    root = touch(tmp_path, "train_data/é.wav", "train_data/9.wav", "test_data/10.WAV",
                 "train_labels/9.csv", "train_data/._9.wav", "train_data/notes.txt")  # fmt: skip
    sources, rejects = list_sources(root)
    assert [(each.recording_id, each.group) for each in sources] == [
        ("10", "test"),
        ("9", "train"),
        ("é", "train"),
    ]
    assert [each.labels_path for each in sources] == [None, "train_labels/9.csv", None]
    assert [reject.reason for reject in rejects] == ["metadata_missing"]


def test_metadata_is_found_by_id(tmp_path: Path) -> None:
    root = touch(tmp_path, "train_data/1.wav", "train_data/2.wav")
    text = 'id,composer,composition,seconds\n1,"Bach, J. S.",Aria,60\n'
    (tmp_path / "musicnet_metadata.csv").write_text(text, encoding="utf-8-sig")
    sources, rejects = list_sources(root)
    assert sources[0].metadata == {"composer": "Bach, J. S.", "composition": "Aria"}
    assert sources[1].metadata == {}
    assert [(reject.recording_id, reject.reason) for reject in rejects] == [
        ("2", "metadata_missing")
    ]


def test_the_first_of_two_rows_of_metadata_counts(tmp_path: Path) -> None:
    root = touch(tmp_path, "train_data/1.wav")
    (tmp_path / "musicnet_metadata.csv").write_text("id,composer,composition\n1,Bach,\n1,Brahms,\n")
    sources, rejects = list_sources(root)
    assert sources[0].metadata == {"composer": "Bach"}
    assert [(reject.reason, reject.position) for reject in rejects] == [("metadata_duplicate", 1)]


def test_metadata_that_tell_no_works_are_told(tmp_path: Path) -> None:
    root = touch(tmp_path, "train_data/1.wav")
    (tmp_path / "musicnet_metadata.csv").write_text("id,composer,work\n1,Bach,Aria\n")
    (reject,) = list_sources(root)[1]
    assert reject.reason == "metadata_incomplete"
    assert "no column named composition" in reject.message


@pytest.mark.parametrize("data", [b"a,b\n1,2\n", b"\xff\xfe\x00", b""])
def test_metadata_that_cannot_be_read_is_one_reject(data: bytes, tmp_path: Path) -> None:
    root = touch(tmp_path, "train_data/1.wav")
    (tmp_path / "musicnet_metadata.csv").write_bytes(data)
    sources, rejects = list_sources(root)
    assert len(sources) == 1
    assert [reject.reason for reject in rejects] == ["metadata_malformed"]


def test_an_id_that_stands_twice_is_refused_twice(tmp_path: Path) -> None:
    root = touch(tmp_path, "train_data/1.wav", "test_data/1.wav", "train_data/2.wav")
    sources, rejects = list_sources(root)
    assert [source.recording_id for source in sources] == ["2"]
    listed = [reject for reject in rejects if reject.stage == "list"]
    assert [(reject.recording_id, reject.reason) for reject in listed] == 2 * [
        ("1", "duplicate_id")
    ]


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ((), "holds no train_data/"),
        (("a.wav",), "holds no train_data/"),
        (("musicnet/train_data/1.wav",), "one folder deeper: use --input .*musicnet"),
    ],
)
def test_another_layout_is_refused_with_the_way_out(
    names: tuple[str, ...], told: str, tmp_path: Path
) -> None:
    with pytest.raises(PipelineError, match=told):
        list_sources(touch(tmp_path, *names))
    with pytest.raises(PipelineError, match="no such folder"):
        list_sources(str(tmp_path / "missing"))
