"""Recordings of many forms, and seeded ways to damage their audio, their labels and the metadata.

`make_mutant(seed, number)` is the same recording on every call; an OGG file's serial number alone
is libsndfile's own choice and differs from process to process.
"""

from __future__ import annotations

import dataclasses
import functools
import io
import struct
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import soundfile

from tests.support.tiny_musicnet import Tiny, tiny_labels, tiny_samples

Mutation = Callable[[bytes, np.random.Generator], bytes]

FORMS = (
    *(("WAV", "PCM_16"),) * 4,
    *(("WAV", "FLOAT"),) * 4,
    *((file_format, subtype)
      for file_format in ("WAV", "WAVEX", "RF64", "W64")
      for subtype in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")),
    *(("WAV", codec) for codec in ("ULAW", "ALAW", "IMA_ADPCM", "MS_ADPCM", "GSM610")),
    *(("FLAC", "PCM_16"), ("FLAC", "PCM_24"), ("AIFF", "PCM_16"), ("AIFF", "FLOAT")),
    *(("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III"), ("AU", "PCM_16")),
    *(("CAF", "PCM_16"), ("RIFX", "PCM_16")),
)  # fmt: skip
"""Formats and codecs that soundfile writes, MusicNet's own the most often; RIFX is a WAV whose
numbers are big-endian."""

MOST_CHANNELS = {"GSM610": 1, "IMA_ADPCM": 2, "MS_ADPCM": 2, "MPEG_LAYER_III": 2}

WAVE_FORMATS = ("WAV", "WAVEX", "RF64", "W64", "RIFX")

RATES = (8_000, 11_025, 22_050, 44_100, 48_000)

NUMBERS = (
    0, 1, 2, 3, 4, 7, 8, 15, 16, 24, 31, 32, 33, 64, 127, 128, 255, 256, 1_000, 1_024, 32_767,
    32_768, 44_101, 65_534, 65_535, 65_536, 96_000, 655_350, 2**24, 2**31 - 1, 2**31, 2**32 - 2,
    2**32 - 1, 2**53, 2**63 - 1, 2**63, 2**64 - 1,
)  # fmt: skip
"""Where counters end, signs change and products overflow. A field takes their lowest bytes."""

SAMPLE_VALUES = (np.nan, np.inf, -np.inf, 1e9, -1e20, 3.4e38, 1e300, 1e-45, -0.0)

CHUNKS = (b"RIFF", b"RIFX", b"RF64", b"riff", b"WAVE", b"fmt ", b"data", b"LIST", b"fact", b"PEAK",
          b"ds64", b"JUNK", b"bext", b"cue ", b"smpl", b"id3 ", b"fLaC", b"OggS", b"FORM", b"ID3\4",
          b"COMM", b"SSND", b"\0\0\0\0", b"\xff\xff\xff\xff")  # fmt: skip

FIELD_TEXTS = (
    "", " ", "0", "-1", "-0", "1.5", "1e400", "nan", "inf", "NULL", "x", "é", "0x10", "+5", "1_0",
    str(2**31), str(2**32), str(2**53), str(2**62), str(2**63 - 1), str(-(2**63)), str(2**63),
    "9" * 400, '"', '""', '"1"', "1,2", "=1+1", "a\nb", "\ufeff", "\0", "--", "1 000", "\u0661",
)  # fmt: skip
"""What one field of a table may hold; few of them are numbers."""


@dataclasses.dataclass(frozen=True)
class Sound:
    """An undamaged file; `samples` is the length that it has when it is read whole."""

    file_format: str
    subtype: str
    data: bytes = dataclasses.field(repr=False)
    samples: int


@dataclasses.dataclass(frozen=True)
class Mutant:
    """One damaged recording: what it was made of and `kinds`, the names of what was done to it."""

    seed: int
    number: int
    sound: Sound
    kinds: tuple[str, ...]
    audio: bytes = dataclasses.field(repr=False)
    labels: bytes = dataclasses.field(repr=False)

    @property
    def recording_id(self) -> str:
        return f"mutant-{self.number:06d}"

    @property
    def group(self) -> str:
        return "test" if self.number % 7 == 0 else "train"

    @property
    def only_cut(self) -> bool:
        """Whether all that was done to the audio was to cut off its end."""
        return self.kinds == ("truncate",)

    @property
    def only_claims_more(self) -> bool:
        """Whether all that was done is that the header promises samples beyond the file's end."""
        return self.kinds == ("claim_more",) and self.sound.file_format in WAVE_FORMATS

    def __str__(self) -> str:
        kinds = " ".join(self.kinds) or "sound audio"
        return (
            f"tests.support.mutations.make_mutant({self.seed}, {self.number}): "
            f"{self.sound.file_format} {self.sound.subtype}, {kinds}"
        )


def make_mutant(seed: int, number: int) -> Mutant:
    """The mutant of that number: of eight, about seven have damaged audio, two damaged labels."""
    rng = np.random.default_rng([seed, number])
    sound = make_sound(*FORMS[rng.integers(len(FORMS))], seed=int(rng.integers(12)))
    labels = tiny_labels(Tiny("", seconds=0.5), seed=number).encode()
    where = rng.integers(8)
    kinds, audio = mutate(sound.data, rng, KINDS) if where else ((), sound.data)
    if where < 2:
        labeled, labels = mutate(labels, rng, TABLE_KINDS)
        kinds += tuple(f"labels:{kind}" for kind in labeled)
    return Mutant(seed, number, sound, kinds, audio, labels)


def write_mutants(root: Path, mutants: Sequence[Mutant]) -> None:
    """Adds the mutants to a folder in MusicNet's layout."""
    for mutant in mutants:
        for kind, data, suffix in (("data", mutant.audio, "wav"), ("labels", mutant.labels, "csv")):
            folder = root / f"{mutant.group}_{kind}"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{mutant.recording_id}.{suffix}").write_bytes(data)


@functools.cache
def make_sound(file_format: str, subtype: str, *, seed: int) -> Sound:
    """Up to half a second of a chord; some files have more chunks, of odd lengths too."""
    rng = np.random.default_rng(seed)
    coded = subtype in ("OPUS", "GSM610", "MPEG_LAYER_III")
    rate = 8_000 if subtype == "GSM610" else 48_000 if coded else int(rng.choice(RATES))
    channels = min(int(rng.choice([1, 1, 2, 2, 6])), MOST_CHANNELS.get(subtype, 6))
    tiny = Tiny("", seconds=int(rng.integers(1_200, 12_000)) / 22_050, rate=rate, channels=channels)
    buffer = io.BytesIO()
    written, endian = ("WAV", "BIG") if file_format == "RIFX" else (file_format, "FILE")
    soundfile.write(buffer, tiny_samples(tiny, seed=seed), rate, subtype, endian, written)
    data = without_time(buffer.getvalue())
    if file_format in ("WAV", "WAVEX"):
        data = with_chunks(data, before=int(rng.integers(3)), after=int(rng.integers(3)))
    return Sound(file_format, subtype, data, soundfile.info(io.BytesIO(data)).frames)


def without_time(data: bytes) -> bytes:
    """Without the time of writing that libsndfile puts beside the peaks of float samples."""
    at = data.find(b"PEAK", 0, 512)
    return data if at < 0 else data[: at + 12] + bytes(4) + data[at + 16 :]


def with_chunks(data: bytes, *, before: int, after: int) -> bytes:
    """A WAV with chunks of odd lengths, padded as they must be, around its samples."""
    text = b"LIST" + struct.pack("<I", 13) + b"INFOISFT\1\0\0\0x\0"
    unknown = b"odd!" + struct.pack("<I", 3) + b"abc\0"
    chunks = [text, unknown]
    data = data[:12] + b"".join(chunks[:before]) + data[12:] + bytes(len(data) % 2)
    data += b"".join(chunks[:after])
    return data[:4] + struct.pack("<I", len(data) - 8) + data[8:]


def mutate(
    data: bytes, rng: np.random.Generator, kinds: dict[str, Mutation]
) -> tuple[tuple[str, ...], bytes]:
    """`data` after one to five of the `kinds`, most often one; also the names of those."""
    count = int(rng.choice(5, p=[0.6, 0.2, 0.1, 0.05, 0.05])) + 1
    names = tuple(str(name) for name in rng.choice(list(kinds), count))
    for name in names:
        data = kinds[name](data, rng)
    return names, data


def put(data: bytes, at: int, patch: bytes) -> bytes:
    """`data`, of the same length, with `patch` written over it from `at`."""
    return (data[:at] + patch + data[at + len(patch) :])[: len(data)]


def place(data: bytes, rng: np.random.Generator, *, within: int | None = None) -> int:
    """Any position, among the first `within` where that is given; 0 in an empty file."""
    return int(rng.integers(0, max(1, min(len(data), within or len(data)))))


def number_bytes(rng: np.random.Generator, width: int, order: str) -> bytes:
    number = NUMBERS[rng.integers(len(NUMBERS))] - int(rng.choice([0, 0, 0, 1]))
    return (number % 256**width).to_bytes(width, order)


def flip_bits(data: bytes, rng: np.random.Generator, *, within: int | None = None) -> bytes:
    for _ in range(rng.integers(1, 17) if data else 0):
        at = place(data, rng, within=within)
        data = put(data, at, bytes([data[at] ^ (1 << int(rng.integers(8)))]))
    return data


def flip_bits_of_header(data: bytes, rng: np.random.Generator) -> bytes:
    return flip_bits(data, rng, within=int(rng.choice([16, 64, 128])))


def put_number(data: bytes, rng: np.random.Generator, *, within: int | None = None) -> bytes:
    width, order = int(rng.choice([1, 2, 4, 8])), str(rng.choice(["little", "big"]))
    return put(data, place(data, rng, within=within), number_bytes(rng, width, order))


def put_number_into_header(data: bytes, rng: np.random.Generator) -> bytes:
    return put_number(data, rng, within=int(rng.choice([48, 128])))


def header_fields(data: bytes) -> list[tuple[int, int]]:
    """Positions and widths of the numbers of a WAV header that is not damaged yet."""
    w64 = data[:4] == b"riff"
    chunk_header, size_at, size_width = (24, 16, 8) if w64 else (8, 4, 4)
    head = data[:512]
    starts = [head.find(chunk) for chunk in CHUNKS[:12]]
    fields = [(start + size_at, size_width) for start in starts if start >= 0]
    fmt, ds64, fact = (head.find(chunk) for chunk in (b"fmt ", b"ds64", b"fact"))
    if fmt >= 0:
        widths = ((0, 2), (2, 2), (4, 4), (8, 4), (12, 2), (14, 2), (16, 2), (18, 2), (20, 4))
        fields += [(fmt + chunk_header + at, width) for at, width in widths]
    if ds64 >= 0:
        fields += [(ds64 + at, width) for at, width in ((8, 8), (16, 8), (24, 8), (32, 4))]
    if fact >= 0:
        fields.append((fact + chunk_header, size_width))
    return fields


def change_field(data: bytes, rng: np.random.Generator) -> bytes:
    """One number of the header becomes another; in other formats, any number near the start."""
    fields = header_fields(data)
    if not fields:
        return put_number_into_header(data, rng)
    at, width = fields[rng.integers(len(fields))]
    order = "big" if data[:4] == b"RIFX" else "little"
    return put(data, at, number_bytes(rng, width, order))


def change_rate_or_channels(data: bytes, rng: np.random.Generator) -> bytes:
    """What the amount of work depends on the most."""
    fmt = data.find(b"fmt ", 0, 512)
    if fmt < 0:
        return put_number_into_header(data, rng)
    at, width = ((2, 2), (4, 4))[rng.integers(2)]
    at += fmt + (24 if data[:4] == b"riff" else 8)
    order = "big" if data[:4] == b"RIFX" else "little"
    return put(data, at, number_bytes(rng, width, order))


def claim_more(data: bytes, rng: np.random.Generator) -> bytes:
    """The data chunk says that it goes on beyond the file's end; other formats stay as they are."""
    extra = int(rng.choice([2**13, 2**16, 2**20, 2**30]))
    chunk, ds64 = data.find(b"data"), data.find(b"ds64")
    if chunk < 0:
        return data
    rest = len(data) - chunk - 8
    if data[:4] == b"RF64" and ds64 >= 0:
        return put(data, ds64 + 16, struct.pack("<Q", rest + extra))
    if data[:4] == b"riff":
        return put(data, chunk + 16, struct.pack("<Q", rest + 8 + extra))
    order = ">I" if data[:4] == b"RIFX" else "<I"
    return put(data, chunk + 4, struct.pack(order, rest + extra))


def rename_chunk(data: bytes, rng: np.random.Generator) -> bytes:
    found = [at for chunk in CHUNKS[:-2] if (at := data.find(chunk)) >= 0]
    at = int(rng.choice(found)) if found else place(data, rng, within=64)
    return put(data, at, CHUNKS[rng.integers(len(CHUNKS))])


def put_samples(data: bytes, rng: np.random.Generator) -> bytes:
    """Numbers that are not finite, or too large, among the samples, if these are floats."""
    start = data.find(b"data") + (24 if data[:4] == b"riff" else 8)
    for _ in range(rng.integers(1, 9)):
        dtype = str(rng.choice(["<f4", "<f8"]))
        with np.errstate(over="ignore", under="ignore"):
            value = np.array(SAMPLE_VALUES[rng.integers(len(SAMPLE_VALUES))], dtype)
        size = value.nbytes
        at = start + place(data[start:], rng) // size * size
        data = put(data, at, value.tobytes() * int(rng.choice([1, 1, 50])))
    return data


def truncate(data: bytes, rng: np.random.Generator) -> bytes:
    """Cuts anywhere, the half of the times near the start or near the end."""
    at = place(data, rng)
    near = place(data, rng, within=200)
    return data[: (at, at, near, max(0, len(data) - 1 - near))[rng.integers(4)]]


def block(data: bytes, rng: np.random.Generator) -> tuple[int, int]:
    start = place(data, rng, within=int(rng.choice([64, 1_024, max(1, len(data))])))
    return start, start + int(rng.choice([1, 2, 3, 4, 8, 100, 4_096]))


def insert_block(data: bytes, rng: np.random.Generator) -> bytes:
    start, stop = block(data, rng)
    return data[:start] + rng.bytes(stop - start) + data[start:]


def delete_block(data: bytes, rng: np.random.Generator) -> bytes:
    start, stop = block(data, rng)
    return data[:start] + data[stop:]


def duplicate_block(data: bytes, rng: np.random.Generator) -> bytes:
    start, stop = block(data, rng)
    return data[:start] + data[start:stop] * int(rng.choice([2, 3, 20])) + data[stop:]


def zero_block(data: bytes, rng: np.random.Generator) -> bytes:
    start, stop = block(data, rng)
    return put(data, start, bytes(stop - start))


def swap_halves(data: bytes, rng: np.random.Generator) -> bytes:
    at = place(data, rng)
    return data[at:] + data[:at]


def splice(data: bytes, rng: np.random.Generator) -> bytes:
    """The start of this file and the end of one of another form."""
    other = make_sound(*FORMS[rng.integers(len(FORMS))], seed=int(rng.integers(12))).data
    return data[: place(data, rng)] + other[place(other, rng) :]


def append_bytes(data: bytes, rng: np.random.Generator) -> bytes:
    length = int(rng.choice([1, 2, 3, 1_000, 100_000]))
    return data + (rng.bytes(length) if rng.integers(2) else bytes(length))


def random_bytes(data: bytes, rng: np.random.Generator) -> bytes:
    """Nothing, or noise; the half of the times behind the first bytes of the file."""
    length = int(rng.choice([0, 1, int(rng.integers(0, 5_000))]))
    return data[: int(rng.choice([0, 0, 12, 64]))] + rng.bytes(length)


KINDS: dict[str, Mutation] = {
    each.__name__: each
    for each in (
        flip_bits, flip_bits_of_header, put_number, put_number_into_header, change_field,
        change_rate_or_channels, claim_more, rename_chunk, put_samples, truncate, insert_block,
        delete_block, duplicate_block, zero_block, swap_halves, splice, append_bytes,
        random_bytes,
    )
}  # fmt: skip


def change_cells(data: bytes, rng: np.random.Generator) -> bytes:
    """A few fields of a table, in the row of names too, become something else."""
    rows = [row.split(b",") for row in data.split(b"\n")]
    for _ in range(rng.integers(1, 5)):
        row = rows[rng.integers(len(rows)) if rng.integers(8) else 0]
        row[rng.integers(len(row))] = FIELD_TEXTS[rng.integers(len(FIELD_TEXTS))].encode()
    return b"\n".join(b",".join(row) for row in rows)


def change_numbers(data: bytes, rng: np.random.Generator) -> bytes:
    """A few numbers of a table become others of the same type, so that most rows can be read."""
    rows = [row.split(b",") for row in data.split(b"\n")]
    for _ in range(rng.integers(1, 9)):
        row = rows[rng.integers(len(rows))]
        column = int(rng.integers(len(row)))
        if row[column].strip(b"-").isdigit():
            bits = 31 if column in (2, 3) else 63
            number = min(NUMBERS[rng.integers(len(NUMBERS))], 2**bits - 1)
            row[column] = b"%d" % (number if rng.integers(3) else -number - 1)
    return b"\n".join(b",".join(row) for row in rows)


def change_rows(data: bytes, rng: np.random.Generator) -> bytes:
    """Rows go, perhaps all of them, come many times or in another order; the first one stays."""
    first, *rows = data.split(b"\n")
    count = int(rng.choice([0, 1, len(rows), 100, 5_000])) if rows else 0
    chosen = rng.integers(0, max(1, len(rows)), count)
    return b"\n".join([first, *(rows[row] for row in chosen), b""])


def change_columns(data: bytes, rng: np.random.Generator) -> bytes:
    """A column goes, comes twice or takes another's place; sometimes in one row alone."""
    rows = [row.split(b",") for row in data.split(b"\n")]
    column, what = int(rng.integers(len(rows[0]))), rng.integers(3)
    chosen = [rows[rng.integers(len(rows))]] if rng.integers(2) else rows
    for row in chosen:
        if column < len(row):
            cell = row.pop(column)
            row[column:column] = ([], [cell, cell], row[-1:])[what]
    return b"\n".join(b",".join(row) for row in rows)


def put_text(data: bytes, rng: np.random.Generator) -> bytes:
    """Bytes that tables of text seldom hold, at any place."""
    texts = (b"\0", b"\xff\xfe", b"\xc3", b"\xed\xa0\x80", b'"', b"'", b"\r", b"\n\n", b",,,,,,,,,",
             b"#", b"\\", b"\t", b"9" * 100_000, b"x" * 200_000, b"," * 10_000)  # fmt: skip
    at = place(data, rng)
    return data[:at] + texts[rng.integers(len(texts))] + data[at:]


def change_encoding(data: bytes, rng: np.random.Generator) -> bytes:
    """Another encoding, a byte order mark or another end of lines."""
    ways: tuple[Callable[[bytes], bytes], ...] = (
        lambda text: b"\xef\xbb\xbf" + text,
        lambda text: text.replace(b"\n", b"\r"),
        lambda text: text.replace(b"\n", b"\r\n"),
        lambda text: text.replace(b",", b";"),
        lambda text: text.decode("latin-1").encode("utf-16"),
        lambda text: text.replace(b"\n", b""),
    )
    return ways[rng.integers(len(ways))](data)


TABLE_KINDS: dict[str, Mutation] = {
    each.__name__: each
    for each in (
        change_cells, change_numbers, change_rows, change_columns, put_text, change_encoding,
        flip_bits, truncate, delete_block, duplicate_block, insert_block, random_bytes,
    )
}  # fmt: skip
