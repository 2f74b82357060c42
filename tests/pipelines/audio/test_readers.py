"""Recordings in formats other than WAV, against what libsndfile decodes from beginning to end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from numpy.typing import NDArray

from pipelines.audio.decoded import DecodedRecordings, decoded_folder, removing_decoded
from pipelines.audio.header import AudioHeader
from pipelines.audio.readers import range_opener, read_audio_header, sample_reader
from pipelines.errors import PipelineError, RejectedInputError
from schemas import Storage
from schemas.errors import DatasetError

RATE = 44_100
SECONDS = 4
KINDS = {
    "16.flac": ("FLAC", "PCM_16"),
    "24.flac": ("FLAC", "PCM_24"),
    "16.aiff": ("AIFF", "PCM_16"),
    "24.aif": ("AIFF", "PCM_24"),
    "float.aifc": ("AIFF", "FLOAT"),
    "mulaw.aiff": ("AIFF", "ULAW"),
    "16.w64": ("W64", "PCM_16"),
    "float.w64": ("W64", "FLOAT"),
    "16.caf": ("CAF", "PCM_16"),
    "24.caf": ("CAF", "PCM_24"),
    "float.caf": ("CAF", "FLOAT"),
    "alac.caf": ("CAF", "ALAC_16"),
    "vorbis.ogg": ("OGG", "VORBIS"),
    "opus.opus": ("OGG", "OPUS"),
    "layer3.mp3": ("MP3", "MPEG_LAYER_III"),
}
LOSSLESS_16 = ["16.flac", "16.aiff", "16.w64", "16.caf", "alac.caf"]


def sound() -> NDArray[np.float32]:
    """Two channels of chords and noise, float32 [samples, 2]."""
    time = np.arange(SECONDS * RATE) / RATE
    pitches = [220.0 * 2 ** (step / 12) for step in (0, 4, 7, 12)]
    chord = sum(np.sin(2 * np.pi * pitch * time * (1 + 0.1 * time)) for pitch in pitches)
    noise = np.random.default_rng(0).normal(0, 0.02, (len(time), 2))
    return (np.stack([chord / 8, np.roll(chord, 999) / 9], 1) + noise).astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("audio")
    # Some formats round floats in ways of their own.
    integers = np.rint(sound() * 32_767).astype(np.int16)
    for name, (kind, subtype) in KINDS.items():
        rate = 48_000 if subtype == "OPUS" else RATE
        samples = integers if name in LOSSLESS_16 else sound()
        soundfile.write(root / name, samples, rate, format=kind, subtype=subtype)
    soundfile.write(root / "16.wav", integers, RATE, subtype="PCM_16")
    return root


def read(folder: Path, name: str, decoded: DecodedRecordings, start: int, stop: int) -> Any:
    header = read_audio_header(Storage(folder), name, decoded)
    return read_range(folder, name, header, decoded, start, stop)


def read_range(
    folder: Path, name: str, header: AudioHeader, decoded: DecodedRecordings, start: int, stop: int
) -> Any:
    storage = Storage(folder)
    ranges = range_opener(storage, name, header, decoded)()
    try:
        return sample_reader(storage, name, header, ranges).read(start, stop)
    finally:
        ranges.close()


@pytest.mark.parametrize("name", KINDS)
def test_a_range_equals_the_slice_of_the_whole(name: str, folder: Path, tmp_path: Path) -> None:
    whole = soundfile.read(folder / name, dtype="float32", always_2d=True)[0]
    mono = np.add.reduce(whole, axis=1) / np.float32(2)
    decoded = DecodedRecordings(tmp_path / "decoded")
    header = read_audio_header(Storage(folder), name, decoded)
    assert (header.samples, header.channels, header.container) == (len(whole), 2, KINDS[name][0])

    @settings(max_examples=25, deadline=None)
    @given(st.integers(0, len(whole) - 1), st.integers(1, 100_000))
    def check(start: int, length: int) -> None:
        stop = min(len(whole), start + length)
        found = read_range(folder, name, header, decoded, start, stop)
        np.testing.assert_array_equal(found, mono[start:stop])

    check()


@pytest.mark.parametrize("name", LOSSLESS_16)
def test_lossless_formats_give_the_samples_of_the_wav_file(
    name: str, folder: Path, tmp_path: Path
) -> None:
    decoded = DecodedRecordings(tmp_path)
    stop = SECONDS * RATE
    np.testing.assert_array_equal(
        read(folder, name, decoded, 12_345, stop), read(folder, "16.wav", decoded, 12_345, stop)
    )


def test_the_content_of_a_file_counts_and_not_its_ending(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_bytes((folder / "16.flac").read_bytes())
    assert read_audio_header(Storage(tmp_path), "x.wav").container == "FLAC"


def damaged(data: bytes, how: str) -> bytes:
    middle = len(data) // 2
    return {
        "cut in half": data[:middle],
        "without its last tenth": data[: -len(data) // 10],
        "a header alone": data[:64],
        "four bytes": data[:4],
        "nothing": b"",
    }[how]


DAMAGE = ["cut in half", "without its last tenth", "a header alone", "four bytes", "nothing"]


@pytest.mark.parametrize("how", DAMAGE)
@pytest.mark.parametrize("name", KINDS)
def test_a_file_that_was_cut_short_is_refused(
    name: str, how: str, folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_bytes(damaged((folder / name).read_bytes(), how))
    with pytest.raises(RejectedInputError, match=rf"^{name}: .*(; |again)") as caught:
        read_audio_header(Storage(tmp_path), name)
    assert caught.value.reason in ("truncated", "unreadable", "empty")
    assert capfd.readouterr() == ("", ""), "decoders keep what they think to themselves"


def test_damage_within_a_flac_file_is_met_where_it_is(folder: Path, tmp_path: Path) -> None:
    data = bytearray((folder / "16.flac").read_bytes())
    middle = len(data) // 2
    data[middle : middle + 500] = bytes(500)
    (tmp_path / "x.flac").write_bytes(data)
    decoded = DecodedRecordings(tmp_path / "decoded")
    whole = soundfile.read(folder / "16.flac", dtype="float32", stop=40_000)[0].mean(axis=1)
    np.testing.assert_allclose(read(tmp_path, "x.flac", decoded, 0, 40_000), whole, atol=1e-7)
    with pytest.raises(RejectedInputError, match=r"^x\.flac: its samples"):
        read(tmp_path, "x.flac", decoded, 0, SECONDS * RATE)


@pytest.mark.parametrize("name", ["x.mp3", "x.flac", "x.opus"])
def test_what_is_no_audio_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("<html>Sign in to download</html>" * 100)
    with pytest.raises(RejectedInputError, match=rf"^{name}: .*(convert|write) it"):
        read_audio_header(Storage(tmp_path), name)


def test_a_decoder_that_crashes_costs_the_recording_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.audio.decoding._DECODE", "import os; os.abort()")
    with pytest.raises(RejectedInputError, match=r"crashed over it: .* write it again"):
        read_audio_header(Storage(folder), "layer3.mp3")
    monkeypatch.setattr("pipelines.audio.decoding._DECODE", "import pipelines.nothing")
    with pytest.raises(
        RuntimeError, match=r"layer3\.mp3: the process that decodes it ended with 1"
    ):
        read_audio_header(Storage(folder), "layer3.mp3")


def test_a_folder_of_the_name_of_a_package_is_not_imported(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines/__init__.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)
    assert read_audio_header(Storage(folder), "vorbis.ogg").samples == SECONDS * RATE


def test_what_was_decoded_stays_within_its_bound(folder: Path, tmp_path: Path) -> None:
    storage = Storage(folder)
    one = 4 * SECONDS * RATE
    decoded = DecodedRecordings(tmp_path / "decoded", limit_bytes=2 * one)
    for name in ("vorbis.ogg", "layer3.mp3", "vorbis.ogg", "opus.opus"):
        header = read_audio_header(storage, name, decoded)
        range_opener(storage, name, header, decoded)().close()
        files = list((tmp_path / "decoded").iterdir())
        assert sum(each.stat().st_size for each in files) <= 2 * one + 4 * 3_912 * SECONDS
    assert len(files) in (1, 2)


def test_a_recording_is_decoded_again_where_it_was_removed_or_changed(
    folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "in" / "a.ogg"
    path.parent.mkdir()
    path.write_bytes((folder / "vorbis.ogg").read_bytes())
    decoded = DecodedRecordings(tmp_path / "decoded")
    first = read(path.parent, "a.ogg", decoded, 0, 1_000)
    for each in (tmp_path / "decoded").iterdir():
        each.unlink()
    np.testing.assert_array_equal(read(path.parent, "a.ogg", decoded, 0, 1_000), first)
    soundfile.write(path, -sound(), RATE, format="OGG", subtype="VORBIS")
    assert not np.array_equal(read(path.parent, "a.ogg", decoded, 0, 1_000), first)


def test_what_cannot_be_kept_is_no_fault_of_the_recording(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.audio.decoded.secrets.token_hex", lambda _: "full")
    (tmp_path / "full").symlink_to("/dev/full")
    decoded = DecodedRecordings(tmp_path)
    with pytest.raises(DatasetError, match=r"no space left on device; free some .* TMPDIR"):
        decoded.keep(Storage(folder), "vorbis.ogg", "OGG")


def test_the_folder_of_somebody_else_is_not_used(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.audio.decoded.os.getuid", lambda: 12_345)
    with pytest.raises(PipelineError, match="belongs to somebody else; remove it, or name another"):
        DecodedRecordings(tmp_path).keep(Storage(folder), "vorbis.ogg", "OGG")


def test_nothing_is_left_of_what_was_decoded(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with removing_decoded("out"):
        DecodedRecordings(decoded_folder("out")).keep(Storage(folder), "layer3.mp3", "MP3")
        assert len(list(tmp_path.glob("*/*"))) == 1
    read_audio_header(Storage(folder), "layer3.mp3")
    assert list(tmp_path.iterdir()) == []


def test_recordings_in_a_store_are_read_as_those_on_disk(folder: Path, tmp_path: Path) -> None:
    fsspec = pytest.importorskip("fsspec")
    store = fsspec.filesystem("memory")
    for name in ("16.flac", "layer3.mp3"):
        store.pipe(f"/audio/{name}", (folder / name).read_bytes())
        storage = Storage("memory://audio")
        decoded = DecodedRecordings(tmp_path / "decoded")
        header = read_audio_header(storage, name, decoded)
        ranges = range_opener(storage, name, header, decoded)()
        found = sample_reader(storage, name, header, ranges).read(5_000, 9_000)
        ranges.close()
        np.testing.assert_array_equal(found, read(folder, name, decoded, 5_000, 9_000))
