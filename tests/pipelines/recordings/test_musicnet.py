import unicodedata
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
    (tmp_path / "musicnet_metadata.csv").write_text(
        "id,composer,composition\n1,Bach,Aria\n1,Brahms,Lied\n"
    )
    sources, rejects = list_sources(root)
    assert sources[0].metadata == {"composer": "Bach", "composition": "Aria"}
    assert [(reject.reason, reject.position) for reject in rejects] == [("metadata_duplicate", 1)]


def test_metadata_that_tell_no_works_are_told(tmp_path: Path) -> None:
    root = touch(tmp_path, "train_data/1.wav")
    (tmp_path / "musicnet_metadata.csv").write_text("id,composer,work\n1,Bach,Aria\n")
    (reject,) = list_sources(root)[1]
    assert reject.reason == "metadata_incomplete"
    assert "no column named composition" in reject.message


@pytest.mark.parametrize(
    ("text", "lacking"),
    [
        ("id,composer,composition\n1\n", "no composer and no composition"),
        ("id,composer,composition\n1,Bach,\n", "no composition"),
        ("id,composer,composition\n1, ,Aria\n", "no composer"),
    ],
)
def test_a_row_that_tells_no_work_is_noticed(text: str, lacking: str, tmp_path: Path) -> None:
    root = touch(tmp_path, "train_data/1.wav")
    (tmp_path / "musicnet_metadata.csv").write_text(text)
    (notice,) = list_sources(root)[1]
    assert (notice.reason, notice.position) == ("metadata_incomplete", 0)
    assert notice.message == (
        f"musicnet_metadata.csv: data row 0 gives {lacking}: the recording counts as a work of its "
        "own"
    )


DVORAK = {form: unicodedata.normalize(form, "Dvo\u0159\u00e1k") for form in ("NFC", "NFD")}


@pytest.mark.parametrize(
    ("audio", "labels", "told"),
    [
        ("1.WAV", "1.csv", "1"),
        ("1.wav", "1.CSV", "1"),
        ("Bach.wav", "BACH.csv", "bach"),
        (f"{DVORAK['NFD']}.wav", f"{DVORAK['NFC']}.csv", DVORAK["NFC"]),
        (f"{DVORAK['NFC']}.wav", f"{DVORAK['NFD']}.csv", DVORAK["NFD"].upper()),
        ("1.wav", "1.csv", " 1 "),
    ],
)
def test_names_are_compared_in_one_way(audio: str, labels: str, told: str, tmp_path: Path) -> None:
    root = touch(tmp_path, f"train_data/{audio}", f"train_labels/{labels}")
    text = f"id,composer,composition\n{told},Dvorak,Cypresses\n"
    (tmp_path / "musicnet_metadata.csv").write_text(text)
    (source,), rejects = list_sources(root)
    assert source.recording_id == audio.rpartition(".")[0]
    assert source.labels_path == f"train_labels/{labels}"
    assert source.metadata["composition"] == "Cypresses"
    assert rejects == []


@pytest.mark.parametrize(
    "names",
    [
        ("1.wav", "1.WAV"),
        ("bach.wav", "Bach.wav"),
        (f"{DVORAK['NFD']}.wav", f"{DVORAK['NFC']}.wav"),
    ],
)
def test_ids_that_only_look_different_are_duplicates(names: list[str], tmp_path: Path) -> None:
    root = touch(tmp_path, *(f"train_data/{name}" for name in names), "train_data/other.wav")
    sources, rejects = list_sources(root)
    assert [source.recording_id for source in sources] == ["other"]
    assert [each.reason for each in rejects if each.stage == "list"] == 2 * ["duplicate_id"]


def test_one_of_several_label_files_is_never_chosen(tmp_path: Path) -> None:
    root = touch(tmp_path, "train_data/a.wav", "train_labels/a.csv", "train_labels/A.csv",
                 "test_labels/a.csv", "test_data/b.wav", "test_labels/b.csv")  # fmt: skip
    sources, rejects = list_sources(root)
    assert [source.recording_id for source in sources] == ["b"]
    (reject,) = [each for each in rejects if each.stage == "list"]
    assert (reject.recording_id, reject.reason) == ("a", "duplicate_labels")
    assert "train_labels/A.csv and train_labels/a.csv; keep one" in reject.message


def test_rows_of_metadata_that_only_look_different_are_duplicates(tmp_path: Path) -> None:
    root = touch(tmp_path, "train_data/a.wav")
    (tmp_path / "musicnet_metadata.csv").write_text("id,composer,composition\na,B,C\nA,D,E\n")
    sources, rejects = list_sources(root)
    assert sources[0].metadata == {"composer": "B", "composition": "C"}
    assert [(reject.reason, reject.position) for reject in rejects] == [("metadata_duplicate", 1)]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"a,b\n1,2\n", "has no column named id"),
        (b"", "has no column named id"),
        (b"id\n\xff", "is not UTF-8 text from byte 3 on; save it as UTF-8"),
        (b"id\n1\n" + b"x" * 200_000, "line 3 is not a row of a CSV table; correct it"),
    ],
)
def test_what_is_wrong_with_metadata_is_said_in_our_words(
    data: bytes, told: str, tmp_path: Path
) -> None:
    root = touch(tmp_path, "train_data/1.wav")
    (tmp_path / "musicnet_metadata.csv").write_bytes(data)
    assert list_sources(root)[1][-1].message == f"musicnet_metadata.csv: {told}"


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
        (("musicnet/train_data/1.wav",), "one folder deeper: use input_root='.*musicnet'"),
    ],
)
def test_another_layout_is_refused_with_the_way_out(
    names: tuple[str, ...], told: str, tmp_path: Path
) -> None:
    with pytest.raises(PipelineError, match=told):
        list_sources(touch(tmp_path, *names))
    with pytest.raises(PipelineError, match="no such folder"):
        list_sources(str(tmp_path / "missing"))
