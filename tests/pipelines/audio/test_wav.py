import errno
import io
import struct
import wave
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile

from pipelines.audio.header import SAMPLE_BYTES
from pipelines.audio.wav import WavReader, read_wav_header
from pipelines.errors import RejectedInputError
from schemas import StoreError
from tests.support.audio_files import Ranges, reader_of


def test_channels_are_averaged_as_by_librosa() -> None:
    file = io.BytesIO()
    samples = np.random.default_rng(0).uniform(-1, 1, (5_000, 3)).astype(np.float32)
    soundfile.write(file, samples, 22_050, subtype="FLOAT", format="WAV")
    found = reader_of(file.getvalue()).read(100, 4_000)
    np.testing.assert_allclose(found, librosa.to_mono(samples.T)[100:4_000], atol=1e-7)


def written(samples: int = 1_000, rate: int = 22_050, **kind: str) -> bytes:
    file = io.BytesIO()
    noise = np.random.default_rng(0).uniform(-1, 1, samples).astype(np.float32)
    soundfile.write(file, noise, rate, **{"format": "WAV", "subtype": "FLOAT", **kind})
    return file.getvalue()


def with_size(data: bytes, marker: bytes, offset: int, form: str, size: int) -> bytes:
    """`data` with another number at `offset` bytes from the end of `marker`."""
    place = data.index(marker) + len(marker) + offset
    return data[:place] + struct.pack(form, size) + data[place + struct.calcsize(form) :]


def with_text(data: bytes, text: bytes, *, chunks: int = 1) -> bytes:
    """`data` with chunks of comment before its samples."""
    place = data.index(b"data")
    comment = b"ICMT" + struct.pack("<I", len(text)) + text + bytes(len(text) % 2)
    listed = b"LIST" + struct.pack("<I", 4 + len(comment)) + b"INFO" + comment
    return data[:place] + listed * chunks + data[place:]


def never_closed(data: bytes, riff_size: int) -> bytes:
    """`data` with the header that a recorder writes before its first sample."""
    return with_size(with_size(data, b"data", 0, "<I", 0), b"RIFF", 0, "<I", riff_size)


WAV, RF64 = written(), written(format="RF64")
SILENCE = WAV[: WAV.index(b"data") + 8] + bytes(4_000)

REFUSED = {
    "no bytes": (b"", "empty"),
    "not audio": (b"not audio at all", "not_wav"),
    "half a header": (WAV[:30], "unreadable"),
    "a header alone": (with_size(WAV, b"data", 0, "<I", 0)[: WAV.index(b"data") + 8], "empty"),
    "a header of more": (WAV[: WAV.index(b"data") + 8], "truncated"),
    "cut within a sample": (WAV[:-1], "truncated"),
    "cut in the middle": (WAV[: len(WAV) // 2], "truncated"),
    "cut, as RF64": (RF64[:-500], "truncated"),
    "cut, as WAVEX": (written(format="WAVEX", subtype="PCM_24")[:-500], "truncated"),
    "cut, with much text": (with_text(WAV, b"x" * 1_500, chunks=9)[:-500], "truncated"),
    "cut, with an odd text": (with_text(WAV, b"x")[:-500], "truncated"),
    "nothing but chunks": (WAV[:36] + 20_000 * b"abcd\0\0\0\0", "unreadable"),
    "two chunks of samples": (
        WAV.replace(b"data", b"data" + struct.pack("<I", 8) + bytes(8) + b"data"),
        "unreadable",
    ),
    "two chunks of samples, both silent": (
        SILENCE.replace(b"data", b"data" + struct.pack("<I", 8) + bytes(8) + b"data"),
        "unreadable",
    ),
    "claims 4 GiB": (with_size(WAV, b"data", 0, "<I", 2**32 - 1), "truncated"),
    "claims 2 GiB": (with_size(WAV, b"data", 0, "<I", 2**31 - 1), "truncated"),
    "claims 1 TB": (with_size(RF64, b"ds64", 12, "<Q", 10**12), "truncated"),
    "claims 2**64 - 1 bytes": (with_size(RF64, b"ds64", 12, "<Q", 2**64 - 1), "truncated"),
    "never closed": (with_size(WAV, b"data", 0, "<I", 0), "header_mismatch"),
    "never closed, RIFF of 36": (never_closed(WAV, 36), "header_mismatch"),
    "never closed, RIFF of 8": (never_closed(WAV, 8), "header_mismatch"),
    "never closed, RIFF of 0": (never_closed(WAV, 0), "header_mismatch"),
    "never closed, silent": (never_closed(SILENCE, 8), "header_mismatch"),
    "never closed, as RF64": (with_size(RF64, b"ds64", 12, "<Q", 0), "header_mismatch"),
    "never closed, as RIFX": (
        with_size(written(endian="BIG"), b"data", 0, ">I", 0),
        "header_mismatch",
    ),
    "never closed, with a text": (never_closed(with_text(WAV, b"x"), 36), "header_mismatch"),
    "closed too early": (with_size(WAV, b"data", 0, "<I", 400), "header_mismatch"),
    "closed too early, as RF64": (with_size(RF64, b"ds64", 12, "<Q", 400), "header_mismatch"),
    "zeros behind its samples": (WAV + bytes(1_000), "header_mismatch"),
    "a chunk that was cut": (WAV + b"LIST" + struct.pack("<I", 99) + b"abcd", "header_mismatch"),
    "1 Hz": (written(rate=1), "sample_rate"),
    "2 GHz": (with_size(WAV, b"fmt ", 8, "<I", 2 * 10**9), "sample_rate"),
    "FLAC": (written(format="FLAC", subtype="PCM_16"), "not_wav"),
    "MP3": (written(format="MP3", subtype="MPEG_LAYER_III"), "not_wav"),
    "ADPCM": (written(subtype="MS_ADPCM"), "format"),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("on_disk", [False, True])
def test_what_is_no_whole_wav_file_is_refused(name: str, on_disk: bool, tmp_path: Path) -> None:
    data, reason = REFUSED[name]
    (tmp_path / "x.wav").write_bytes(data)
    with (tmp_path / "x.wav").open("rb") if on_disk else io.BytesIO(data) as file:
        with pytest.raises(RejectedInputError, match=r"^x\.wav: ") as caught:
            read_wav_header(file, where="x.wav")
        assert caught.value.reason == reason
        assert file.seek(0) == 0, "the file is still the caller's"


@pytest.mark.parametrize("kind", ["WAV", "WAVEX", "RF64"])
@pytest.mark.parametrize("subtype", sorted(SAMPLE_BYTES))
def test_every_form_of_wav_is_read(kind: str, subtype: str) -> None:
    data = written(format=kind, subtype=subtype)
    expected = soundfile.read(io.BytesIO(data), dtype="float32")[0]
    np.testing.assert_array_equal(reader_of(data).read(100, 900), expected[100:900])


def test_text_in_a_header_is_no_part_of_it() -> None:
    for text in (b"data : 999999999\n", b"x" * 5_000, b"data\xff\xff\xff\xff"):
        data = with_text(WAV, text)
        assert read_wav_header(io.BytesIO(data), where="x").samples == 1_000


@pytest.mark.parametrize("subtype", sorted(SAMPLE_BYTES))
def test_big_endian_files_are_read(subtype: str) -> None:
    data = written(endian="BIG", subtype=subtype)
    assert data[:4] == b"RIFX"
    expected = soundfile.read(io.BytesIO(data), dtype="float32")[0]
    np.testing.assert_array_equal(reader_of(data).read(100, 900), expected[100:900])
    with pytest.raises(RejectedInputError) as caught:
        read_wav_header(io.BytesIO(data[:-500]), where="x")
    assert caught.value.reason == "truncated"


def test_chunks_after_the_samples_do_no_harm() -> None:
    data = WAV + b"LIST" + struct.pack("<I", 4) + b"abcd"
    assert read_wav_header(io.BytesIO(data), where="x").samples == 1_000


@pytest.mark.parametrize("size", [0, 8, 36, 2**31, 2**32 - 1])
def test_the_length_of_the_whole_says_nothing_about_the_samples(size: int) -> None:
    data = with_size(WAV, b"RIFF", 0, "<I", size)
    assert read_wav_header(io.BytesIO(data), where="x").samples == 1_000


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_24"])
@pytest.mark.parametrize("padding", [b"", b"\0", b"x"])
@pytest.mark.parametrize("after", [b"", b"LIST\4\0\0\0abcd", b"odd!\3\0\0\0abc", b"a\0"])
def test_an_odd_number_of_bytes_may_be_padded(subtype: str, padding: bytes, after: bytes) -> None:
    data = written(samples=333, subtype=subtype)
    odd = data[: data.index(b"data") + 8 + 333 * SAMPLE_BYTES[subtype]]
    whole = odd + padding + after
    if subtype == "PCM_U8" and after == b"a\0":
        with pytest.raises(RejectedInputError, match="claims 333 bytes"):
            read_wav_header(io.BytesIO(whole), where="x")
    else:
        assert read_wav_header(io.BytesIO(whole), where="x").samples == 333


def test_a_header_that_claims_less_is_told_with_both_figures() -> None:
    for claimed in (0, 400):
        with pytest.raises(RejectedInputError) as caught:
            read_wav_header(io.BytesIO(with_size(WAV, b"data", 0, "<I", claimed)), where="x")
        assert str(caught.value) == (
            f"x: its header claims {claimed} bytes of samples and the file holds 4000 behind it, "
            f"of which {4_000 - claimed} belong to no chunk: its recorder never closed it, or "
            "something was added; repair its header, or write it again"
        )


def test_what_libsndfile_says_is_only_a_detail() -> None:
    """Its own words for a format that it does not know."""
    with pytest.raises(RejectedInputError) as caught:
        read_wav_header(io.BytesIO(WAV[:12] + bytes(8) + WAV[12:]), where="x")
    assert str(caught.value).startswith("x: its header is damaged or of an unknown kind (")


def test_a_block_at_a_time_gives_the_same_samples() -> None:
    """A megabyte is read at once, however many channels there are."""
    samples = np.random.default_rng(0).uniform(-1, 1, (9_000, 64)).astype(np.float32)
    file = io.BytesIO()
    soundfile.write(file, samples, 22_050, subtype="FLOAT", format="WAV")
    found = reader_of(file.getvalue()).read(50, 8_999)
    np.testing.assert_allclose(found, samples.mean(axis=1)[50:8_999], atol=1e-6)


def test_a_header_says_length_rate_and_channels(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setparams((2, 2, 8_000, 0, "NONE", ""))
        file.writeframes(bytes(4 * 123))
    with (tmp_path / "a.wav").open("rb") as file:
        header = read_wav_header(file, where="a.wav")
    assert (header.samples, header.sample_rate, header.channels) == (123, 8_000, 2)


def test_a_disk_that_fails_is_a_refusal() -> None:
    class Failing(Ranges):
        def read(self, offset: int, length: int) -> bytes:
            raise OSError(errno.EIO, "Input/output error")

    reader = WavReader(Failing(WAV), read_wav_header(io.BytesIO(WAV), where="x"), where="x")
    with pytest.raises(RejectedInputError, match=r"^x: cannot be read: input/output") as caught:
        reader.read(0, 100)
    assert caught.value.reason == "unreadable"


def test_a_file_that_has_become_shorter_is_refused() -> None:
    wav = read_wav_header(io.BytesIO(WAV), where="x")
    reader = WavReader(Ranges(WAV[: len(WAV) // 2]), wav, where="x")
    assert len(reader.read(0, 400)) == 400
    with pytest.raises(RejectedInputError, match=r"^x: holds .* was cut short") as caught:
        reader.read(400, 600)
    assert caught.value.reason == "truncated"


class FailingFile(io.BytesIO):
    """A file in a store that fails when its bytes from some place on are asked for."""

    def __init__(self, data: bytes, fails_at: int) -> None:
        super().__init__(data)
        self._fails_at = fails_at

    def read(self, nbytes: int | None = -1) -> bytes:
        if self.tell() + (nbytes or 0) > self._fails_at:
            raise StoreError("the store did not answer")
        return super().read(nbytes)

    def fileno(self) -> int:
        raise OSError


@pytest.mark.parametrize("fails_at", [2, 40, 50_000, 100_050])
def test_a_store_that_fails_within_a_header_refuses_nothing(fails_at: int) -> None:
    """libsndfile would take the failure for the end of the file."""
    whole = written()
    data = whole[:36] + b"LIST" + struct.pack("<I", 100_000) + bytes(100_000) + whole[36:]
    assert read_wav_header(FailingFile(data, len(data)), where="x").samples == 1_000
    with pytest.raises(StoreError, match="the store did not answer"):
        read_wav_header(FailingFile(data, fails_at), where="x")
