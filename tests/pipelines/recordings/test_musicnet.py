import os
import unicodedata
from pathlib import Path

import pytest

from pipelines.errors import PipelineError
from pipelines.recordings.listing import list_sources
from tests.support.empty_files import touch


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
    assert [reject.message for reject in rejects] == [
        "musicnet_metadata.csv: no such file",
        "train_data/._9.wav: is not used",
        "train_data/notes.txt: is not used",
    ]


@pytest.mark.parametrize("layout", ["{}", "{}/train_data"])
def test_what_lies_in_a_folder_without_a_name_in_utf_8_is_rejected(
    layout: str, tmp_path: Path
) -> None:
    folder = layout.format(os.fsdecode(b"\xff"))
    root = touch(tmp_path, f"{folder}/1.wav", f"{folder}/maestro-v3.0.0.csv")
    sources, rejects = list_sources(root)
    assert sources == []
    (reject,) = [each for each in rejects if each.reason == "name_not_utf8"]
    name = folder.replace(os.fsdecode(b"\xff"), r"\udcff")
    text = "its name, or that of a folder above it, is not UTF-8; rename it"
    assert reject.message == f"{name}/1.wav: {text}"


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
    reject, unused = [each for each in rejects if each.stage == "list"]
    assert unused.message == "test_labels/a.csv: is not used"
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


def test_musicnet_is_found_at_any_depth_and_its_table_above_it(tmp_path: Path) -> None:
    root = touch(tmp_path, "a/b/c/train_data/1.wav", "a/b/c/train_labels/1.csv",
                 "a/b/c/test_data/2.flac", "a/songs/3.mp3")  # fmt: skip
    (tmp_path / "a/musicnet_metadata.csv").write_text("id,composer,composition\n1,B,C\n2,B,D\n")
    sources, rejects = list_sources(root)
    assert [(each.recording_id, each.group) for each in sources] == [("1", "train"), ("2", "test")]
    assert sources[0].labels_path == "a/b/c/train_labels/1.csv"
    assert sources[1].metadata == {"composer": "B", "composition": "D"}
    assert [each.message for each in rejects] == ["a/songs/3.mp3: is not used"]


def test_a_table_of_metadata_is_not_taken_from_farther_away(tmp_path: Path) -> None:
    root = touch(tmp_path, "a/b/c/train_data/1.wav")
    (tmp_path / "musicnet_metadata.csv").write_text("id,composer,composition\n1,B,C\n")
    _, rejects = list_sources(root)
    assert [each.message for each in rejects] == [
        "musicnet_metadata.csv: no such file",
        "musicnet_metadata.csv: is not used",
    ]


def test_one_of_several_musicnets_is_never_chosen(tmp_path: Path) -> None:
    root = touch(tmp_path, *(f"{folder}/train_data/1.wav" for folder in "abcde"))
    with pytest.raises(PipelineError, match=r"several times, in '.*a', '.*b', '.*c' and 2 more; "):
        list_sources(root)


def test_musicnet_in_the_input_itself_counts_before_those_below(tmp_path: Path) -> None:
    root = touch(tmp_path, "train_data/1.wav", "old/train_data/1.wav", "older/test_data/1.wav")
    sources, rejects = list_sources(root)
    assert [each.audio_path for each in sources] == ["train_data/1.wav"]
    assert [each.message for each in rejects[1:]] == [
        "old/train_data/1.wav: is not used",
        "older/test_data/1.wav: is not used",
    ]


def test_better_labels_are_used_instead(tmp_path: Path) -> None:
    root = touch(tmp_path, "train_data/1.wav", "train_labels/1.csv", "musicnet_em/1.mid",
                 "train_data/2.wav", "train_labels/2.csv", "musicnet_em/3.mid")  # fmt: skip
    sources, rejects = list_sources(root)
    assert [each.labels_path for each in sources] == ["musicnet_em/1.mid", "train_labels/2.csv"]
    assert [each.message for each in rejects if each.reason == "file_unused"] == [
        "musicnet_em/3.mid: is not used"
    ]


def test_recordings_of_formats_that_are_not_read_are_refused(tmp_path: Path) -> None:
    sources, rejects = list_sources(touch(tmp_path, "train_data/1.wav", "train_data/2.M4A"))
    assert len(sources) == 1
    assert [(each.recording_id, each.reason, each.message) for each in rejects[1:]] == [
        (
            "2",
            "audio_format",
            "train_data/2.M4A: .m4a files are not read; convert it: ffmpeg -i FILE FILE.flac",
        )
    ]
