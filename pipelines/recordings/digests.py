"""What the audio files of a run were, to their last byte."""

from __future__ import annotations

import dataclasses

from pipelines.recordings.input_file import InputFile
from pipelines.recordings.inspection import Inspected
from schemas import Storage
from schemas.errors import UnreadableFileError

_FETCHED_BYTES = 8 << 20
"""At a time, from a store that takes its time to answer."""


def with_audio_digest(inspected: Inspected, input_root: str) -> Inspected:
    """The same with the digest of the audio among `inputs`, if the recording is used.

    An audio file that cannot be read to its end has no digest: its windows tell what is wrong.
    Raises `UnreadableFileError` where the permission to read it is gone.
    """
    if not inspected.accepted:
        return inspected
    path = inspected.source.audio_path
    try:
        with Storage(input_root).open(path, ahead=_FETCHED_BYTES) as file:
            audio = InputFile.read(path, file)
    except UnreadableFileError as error:
        if error.reason == "no_permission":
            raise  # There was one a moment ago.
        return inspected
    return dataclasses.replace(inspected, inputs=(audio, *inspected.inputs))
