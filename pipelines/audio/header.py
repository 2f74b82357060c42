"""What the header of an audio file says, and the formats that are read."""

from __future__ import annotations

import dataclasses

from pipelines.audio.riff import WAV_STARTS

WAV = "WAV"

SAMPLE_BYTES = {"PCM_U8": 1, "PCM_16": 2, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4, "DOUBLE": 8,
                "ULAW": 1, "ALAW": 1}  # fmt: skip
"""The encodings of WAV files that are read, and the bytes of one sample of one channel."""

SAMPLE_RATES = range(1_000, 768_001)
"""Samples per second that are taken for a recording's and not for a damaged header."""

SUFFIXES = {
    ".wav": WAV, ".flac": "FLAC", ".aif": "AIFF", ".aiff": "AIFF", ".aifc": "AIFF", ".w64": "W64",
    ".caf": "CAF", ".mp3": "MP3", ".ogg": "OGG", ".oga": "OGG", ".opus": "OGG",
}  # fmt: skip
"""The endings of audio files that are read, in lower case, and libsndfile's name of each format."""

OTHER_SUFFIXES = frozenset({
    ".m4a", ".m4b", ".mp4", ".aac", ".ac3", ".wma", ".asf", ".webm", ".mka", ".ape", ".wv", ".mpc",
    ".tta", ".tak", ".dsf", ".dff", ".amr", ".ra", ".au", ".snd", ".voc", ".mp2",
})  # fmt: skip
"""The endings of files that hold sound and are not read, in lower case."""

EXACT = frozenset({"FLAC", "AIFF", "W64", "CAF"})
"""Formats in which a read after a seek equals the slice of the whole, bit for bit.

In MP3 and Ogg it does not: frames need what was decoded before them.
"""

_STARTS = {
    **dict.fromkeys(WAV_STARTS, WAV),
    b"fLaC": "FLAC",
    b"FORM": "AIFF",
    b"riff": "W64",
    b"caff": "CAF",
    b"OggS": "OGG",
}


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class AudioHeader:
    """What the header of an audio file says.

    `samples` are of each channel, at `sample_rate` Hz. `container` is one of `SUFFIXES`' formats
    and `encoding` libsndfile's name of how samples are stored. Of a WAV file it is one of
    `SAMPLE_BYTES`, and the first sample begins at byte `offset`.
    """

    samples: int
    sample_rate: int
    channels: int
    encoding: str
    container: str = WAV
    big_endian: bool = False
    offset: int = 0

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of each channel, of a WAV file."""
        return self.channels * SAMPLE_BYTES[self.encoding]


def rate_fault(sample_rate: int) -> str:
    """What is wrong with the sample rate of a header; empty where a recording may have it."""
    if sample_rate in SAMPLE_RATES:
        return ""
    return (
        f"its header says {sample_rate} samples per second, which no recording has; repair the "
        "header"
    )


def suffix_of(name: str) -> str:
    """The ending of a file's name, in lower case, with its dot; empty where it has none."""
    base = name.rpartition("/")[2]
    return f".{base.rpartition('.')[2].lower()}" if "." in base[1:] else ""


def container_of(name: str, start: bytes) -> str | None:
    """The format of a file by its first four bytes; None where it is of none that is read.

    MP3 files begin with anything, and are known by the ending of their name alone. What is named
    like a WAV file and begins otherwise counts as a damaged one.
    """
    named = SUFFIXES.get(suffix_of(name))
    return _STARTS.get(start) or (named if named in ("MP3", WAV) else None)
