"""Decoding a whole MP3 or Ogg file, in a process of its own.

In these formats a read after a seek is not the slice of the whole, so that a file is decoded from
its beginning to its end. Their decoders print what they think of a file to the screen, and one that
fails on a damaged file ends no more than its own process.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile

from pipelines.audio.header import AudioHeader, rate_fault
from pipelines.audio.mono import BLOCK_VALUES, averaged
from pipelines.errors import RejectedInputError
from pipelines.text import short_detail
from schemas.errors import DatasetError, system_cause

_DECODE = "from pipelines.audio.decoding import main; main()"

_CRASHES = (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL)
"""What ends a process for a fault of its own; others, such as SIGKILL, come from outside."""

_LEFT_OUT = 4 * 1_152
"""Samples that a decoder of MP3 may leave out at the ends of a file, which its header counts."""


def decode(path: Path, target: Path, container: str, *, where: str) -> AudioHeader:
    """Writes the average of all channels of a file to `target`: float32, little-endian.

    Returns the header of the file, with the number of samples that were decoded. Raises
    `RejectedInputError` where the file is damaged, and `DatasetError` where `target` cannot be
    written.
    """
    run = subprocess.run(
        # Without -P, a folder `pipelines` where the user happens to be would be imported.
        [sys.executable, "-P", "-c", _DECODE, str(path), str(target), container],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(each for each in sys.path if each)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    if -run.returncode in _CRASHES:
        message = "its decoder crashed over it: the file is damaged; write it again"
        raise RejectedInputError.of(where, "unreadable", message)
    if run.returncode:
        raise RuntimeError(f"{where}: the process that decodes it ended with {run.returncode}")
    answer = json.loads(run.stdout)
    if "cannot_write" in answer:
        raise DatasetError(
            f"{target.parent}: a decoded recording cannot be written: {answer['cannot_write']}; "
            "free some space there, or name another folder in the environment variable TMPDIR"
        )
    if "reason" in answer:
        raise RejectedInputError.of(where, answer["reason"], answer["message"])
    return AudioHeader(container=container, **answer)


def main() -> None:
    """The process: a path, a target and a format in `sys.argv`, an answer on standard output."""
    path, target, container = sys.argv[1:]
    print(json.dumps(_answer(path, target, container)))


def _answer(path: str, target: str, container: str) -> dict[str, object]:
    try:
        with open(path, "rb") as file:
            claims_length = _claims_length(file, container)
            if container == "OGG" and not _ogg_ends(file):
                message = (
                    "its last page is not the end of a stream: it was cut short; copy it again"
                )
                return _rejected("truncated", message)
        with soundfile.SoundFile(path) as sound:
            if sound.format != container:
                return _rejected("format", f"holds {sound.format}, not {container}; rename it")
            if fault := rate_fault(sound.samplerate):
                return _rejected("sample_rate", fault)
            claimed, samples = sound.frames, 0
            length = max(1, BLOCK_VALUES // sound.channels)
            try:
                with open(target, "wb") as out:
                    # `blocks` takes the header's word for how long the last of them is.
                    while len(block := sound.read(length, dtype="float32", always_2d=True)):
                        mono = np.empty(len(block), "<f4")
                        averaged(block, out=mono)
                        out.write(mono.data)
                        samples += len(block)
            except OSError as error:
                return {"cannot_write": system_cause(error)}
            header = {
                "samples": samples,
                "sample_rate": sound.samplerate,
                "channels": sound.channels,
                "encoding": sound.subtype,
            }
    except soundfile.LibsndfileError as error:
        detail = short_detail(error.error_string) or f"code {error.code}"
        return _rejected("unreadable", f"cannot be decoded ({detail}); write it again")
    if samples == 0:
        return _rejected("empty", "holds no samples; export it again")
    if claims_length and samples < claimed - _LEFT_OUT:
        message = f"its header claims {claimed} samples and {samples} can be decoded"
        return _rejected("truncated", f"{message}: it is damaged or was cut short; copy it again")
    return header


def _rejected(reason: str, message: str) -> dict[str, object]:
    return {"reason": reason, "message": message}


def _claims_length(file: BinaryIO, container: str) -> bool:
    """Whether a file says how long it is: an MP3 file does in a first frame of its own.

    Elsewhere libsndfile guesses from the bit rate of the first frames.
    """
    if container != "MP3":
        return True
    file.seek(0)
    head = file.read(10)
    start = 0
    if head[:3] == b"ID3" and len(head) == 10:
        start = 10 + sum(
            value << shift for value, shift in zip(head[6:], (21, 14, 7, 0), strict=True)
        )
    file.seek(start)
    frame = file.read(2_048)
    return any(name in frame for name in (b"Xing", b"Info", b"VBRI"))


def _ogg_ends(file: BinaryIO) -> bool:
    """Whether the last page of an Ogg file ends a stream (RFC 3533, section 6)."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - (1 << 16) - 282))  # A page is shorter.
    tail = file.read()
    at = tail.rfind(b"OggS")
    return 0 <= at < len(tail) - 5 and bool(tail[at + 5] & 4)
