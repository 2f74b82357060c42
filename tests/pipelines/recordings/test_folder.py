from pathlib import Path

import pytest

from pipelines.errors import PipelineError
from pipelines.recordings.listing import list_sources, without_labels
from tests.support.empty_files import touch

SUFFIXES = [".wav", ".flac", ".aif", ".aiff", ".aifc", ".w64", ".caf", ".mp3", ".ogg", ".oga",
            ".opus"]  # fmt: skip


def test_audio_of_every_format_counts_at_any_depth(tmp_path: Path) -> None:
    names = [f"{'deep/' * depth}song {depth}{suffix}" for depth, suffix in enumerate(SUFFIXES)]
    sources, rejects = list_sources(touch(tmp_path, *(name.upper() for name in names)))
    assert rejects == []
    assert sorted(each.audio_path for each in sources) == sorted(name.upper() for name in names)
    for each in sources:
        assert each.recording_id == each.audio_path.rpartition(".")[0]
        assert (each.group, each.labels_path, each.metadata) == ("", None, {})


def test_labels_lie_beside_their_recording(tmp_path: Path) -> None:
    root = touch(tmp_path, "a/1.flac", "a/1.mid", "b/1.flac", "b/1.csv", "c/1.flac", "1.midi")
    sources, rejects = list_sources(root)
    assert [each.labels_path for each in sources] == ["a/1.mid", "b/1.csv", None]
    assert [each.message for each in rejects] == ["1.midi: is not used"]
    assert not without_labels(root)
    assert without_labels(touch(tmp_path / "other", "1.flac"))


def test_every_file_is_a_recording_or_is_listed(tmp_path: Path) -> None:
    root = touch(tmp_path, "a.wav", "cover.jpg", "x/.DS_Store", "x/._a.wav", "b.wma", "c.m4a")
    sources, rejects = list_sources(root)
    assert [each.audio_path for each in sources] == ["a.wav"]
    assert [(each.recording_id, each.reason) for each in rejects] == [
        ("b", "audio_format"),
        ("c", "audio_format"),
        ("", "file_unused"),
        ("", "file_unused"),
        ("", "file_unused"),
    ]
    assert [each.is_notice for each in (reject.reason for reject in rejects)] == [
        False, False, True, True, True,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (("x/a.wav", "x/a.flac", "b.wav"), "duplicate_id"),
        (("x/a.wav", "X/A.wav", "b.wav"), "duplicate_id"),
        (("a.wav", "a.mid", "a.csv", "b.wav"), "duplicate_labels"),
        ((f"{'long/' * 50}a.wav", "b.wav"), "name_too_long"),
    ],
)
def test_what_could_be_two_things_is_neither(
    names: tuple[str, ...], reason: str, tmp_path: Path
) -> None:
    sources, rejects = list_sources(touch(tmp_path, *names))
    assert [each.recording_id for each in sources] == ["b"]
    assert {each.reason for each in rejects} == {reason}
    assert {each.recording_id for each in rejects}.isdisjoint({"b", ""})


def test_a_table_of_maestro_tells_works_and_the_test_split(tmp_path: Path) -> None:
    root = touch(tmp_path, "m/2004/a.wav", "m/2004/a.midi", "m/2006/b.wav", "m/2006/b.midi",
                 "m/2006/c.wav")  # fmt: skip
    (tmp_path / "m/maestro-v3.0.0.csv").write_text(
        "canonical_composer,canonical_title,split,year,midi_filename,audio_filename,duration\n"
        'Franz Liszt,"Sonata, in B",test,2004,2004/a.midi,2004/a.wav,1\n'
        "Alban Berg,Sonata Op. 1,validation,2006,2006/b.midi,2006/b.wav,1\n"
    )
    sources, rejects = list_sources(root)
    assert rejects == []
    assert [(each.group, each.labels_path) for each in sources] == [
        ("test", "m/2004/a.midi"),
        ("train", "m/2006/b.midi"),
        ("", None),
    ]
    assert sources[0].metadata == {"composer": "Franz Liszt", "composition": "Sonata, in B"}
    assert sources[2].metadata == {}
    tables = [each.metadata_file and each.metadata_file.path for each in sources]
    assert tables == ["m/maestro-v3.0.0.csv", "m/maestro-v3.0.0.csv", None]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ((), r"holds no files; choose a folder with recordings \(\.wav \.flac "),
        (
            ("a.pdf", "b/c.txt", "d", "e"),
            r"no recording \(.*\), only a\.pdf, b/c\.txt, d and 1 more; choose another folder",
        ),
    ],
)
def test_a_folder_without_recordings_is_an_error(
    names: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    with pytest.raises(PipelineError, match=said):
        list_sources(touch(tmp_path, *names))
    with pytest.raises(PipelineError, match="no such folder; check its name"):
        list_sources(str(tmp_path / "missing"))
