"""The codes for why something is rejected or noticed, each with its explanation and its remedy."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Self


class RejectStage(StrEnum):
    """Where something is rejected or noticed."""

    LIST = "list"
    AUDIO = "audio"
    LABELS = "labels"
    WINDOW = "window"
    METADATA = "metadata"


WHOLE_RECORDING_STAGES = (RejectStage.LIST, RejectStage.AUDIO, RejectStage.LABELS)
"""Of these, a reject without a position concerns a whole recording."""


class Loss(StrEnum):
    """What a dataset lacks for a reason; a reason by which it lacks nothing is a notice."""

    RECORDING = "recording"
    WINDOW = "window"
    NOTE = "note"
    NOTHING = "nothing"


class RejectReason(StrEnum):
    """A code for why something was rejected or noticed, with an explanation and a remedy.

    `loss` is what is lost at most: audio that can no longer be read when windows are cut costs
    these windows, and labels that cannot be read cost nothing where no feature needs them.
    """

    loss: Loss
    explanation: str
    remedy: str

    def __new__(cls, code: str, loss: Loss, explanation: str, remedy: str) -> Self:
        member = str.__new__(cls, code)
        member._value_ = code
        member.loss, member.explanation, member.remedy = loss, explanation, remedy
        return member

    NAME_NOT_UTF8 = (
        "name_not_utf8",
        Loss.RECORDING,
        "The name of the file, or of a folder above it, is not UTF-8.",
        "Rename it.",
    )
    NAME_TOO_LONG = (
        "name_too_long",
        Loss.RECORDING,
        "A label file named after the recording would exceed 255 bytes.",
        "Shorten the name of the recording.",
    )
    DUPLICATE_ID = (
        "duplicate_id",
        Loss.RECORDING,
        "Another recording has the same id, whatever the case and the Unicode form.",
        "Rename or remove all but one of them.",
    )
    DUPLICATE_LABELS = (
        "duplicate_labels",
        Loss.RECORDING,
        "Several label files have the id of the recording, whatever the case and the Unicode form.",
        "Keep one of them.",
    )
    IS_FOLDER = (
        "is_folder",
        Loss.RECORDING,
        "Listing the input found a folder with the name of a recording.",
        "Move the folder elsewhere.",
    )
    AUDIO_EMPTY = (
        "audio_empty",
        Loss.RECORDING,
        "The audio file holds no bytes, or its header claims no samples and none are there.",
        "Copy or export the recording again.",
    )
    AUDIO_NOT_WAV = (
        "audio_not_wav",
        Loss.RECORDING,
        "The file has the name of a WAV file, and is no audio file that is read.",
        "Convert it to WAV or FLAC.",
    )
    AUDIO_FORMAT = (
        "audio_format",
        Loss.RECORDING,
        "The audio is of a format that is not read, or a WAV file's samples are compressed.",
        "Convert it to FLAC, or to WAV with PCM or float samples.",
    )
    AUDIO_SAMPLE_RATE = (
        "audio_sample_rate",
        Loss.RECORDING,
        "The header gives a sample rate that no recording has.",
        "Repair the header.",
    )
    AUDIO_TRUNCATED = (
        "audio_truncated",
        Loss.RECORDING,
        "The file was cut short, or never closed: its header claims more samples than it holds.",
        "Copy or export the recording again.",
    )
    AUDIO_HEADER_MISMATCH = (
        "audio_header_mismatch",
        Loss.RECORDING,
        "The file was never closed, or extended: its header claims fewer samples than it holds.",
        "Repair the header, or export the recording again.",
    )
    AUDIO_MISSING = (
        "audio_missing",
        Loss.RECORDING,
        "The audio file is not there, or is a link that leads nowhere.",
        "Copy it again, or remove the link.",
    )
    AUDIO_NO_PERMISSION = (
        "audio_no_permission",
        Loss.RECORDING,
        "The audio file may not be read.",
        "Grant read permission to the user who runs the pipeline.",
    )
    AUDIO_IS_FOLDER = (
        "audio_is_folder",
        Loss.RECORDING,
        "A folder replaced the audio file after the input was listed.",
        "Move the folder elsewhere.",
    )
    AUDIO_NOT_A_FILE = (
        "audio_not_a_file",
        Loss.RECORDING,
        "The audio file is a pipe or a device.",
        "Replace it with a regular file.",
    )
    AUDIO_UNREADABLE = (
        "audio_unreadable",
        Loss.RECORDING,
        "The audio file cannot be read, or its header is damaged.",
        "Check the disk; copy or export the recording again.",
    )
    LABELS_MALFORMED = (
        "labels_malformed",
        Loss.RECORDING,
        "The label file is not a table of MusicNet's form.",
        "Repair the row or column that the message names.",
    )
    LABELS_MISSING = (
        "labels_missing",
        Loss.RECORDING,
        "The recording has no label file, which the chosen features need.",
        "Add the label file, or choose features without notes and onsets.",
    )
    LABELS_NO_PERMISSION = (
        "labels_no_permission",
        Loss.RECORDING,
        "The label file may not be read.",
        "Grant read permission to the user who runs the pipeline.",
    )
    LABELS_IS_FOLDER = (
        "labels_is_folder",
        Loss.RECORDING,
        "A folder replaced the label file after the input was listed.",
        "Move the folder elsewhere.",
    )
    LABELS_NOT_A_FILE = (
        "labels_not_a_file",
        Loss.RECORDING,
        "The label file is a pipe or a device.",
        "Replace it with a regular file.",
    )
    LABELS_UNREADABLE = (
        "labels_unreadable",
        Loss.RECORDING,
        "The label file cannot be read.",
        "Check the disk; copy the file again.",
    )
    LABELS_UNKNOWN_COLUMNS = (
        "labels_unknown_columns",
        Loss.NOTHING,
        "The label file has columns that MusicNet does not have; they are left out.",
        "None is needed.",
    )
    NOTE_OUT_OF_RANGE = (
        "note_out_of_range",
        Loss.NOTE,
        "The note is not a MIDI note number from 0 to 127.",
        "Correct the row.",
    )
    NOTE_BEFORE_START = (
        "note_before_start",
        Loss.NOTHING,
        "The note starts before the recording, and is drawn from its first frame.",
        "Correct the start time, in samples at 44,100 Hz.",
    )
    NOTE_PAST_END = (
        "note_past_end",
        Loss.NOTE,
        "The note starts after the last frame of the recording.",
        "Correct the start time, in samples at 44,100 Hz.",
    )
    NOTE_END_PAST_END = (
        "note_end_past_end",
        Loss.NOTHING,
        "The note ends after the last frame of the recording, where it is cut.",
        "Correct the end time, in samples at 44,100 Hz.",
    )
    NOT_FINITE = (
        "not_finite",
        Loss.WINDOW,
        "The window holds NaN or infinite samples, or samples too large for a spectrum.",
        "Export the recording again.",
    )
    FILE_UNUSED = (
        "file_unused",
        Loss.NOTHING,
        "The file is neither a recording nor one's labels or metadata, where it lies.",
        "None is needed; if it is a recording of MusicNet, move it into train_data or test_data.",
    )
    METADATA_MALFORMED = (
        "metadata_malformed",
        Loss.NOTHING,
        "The metadata file is not a CSV table with a column id.",
        "Repair the file.",
    )
    METADATA_INCOMPLETE = (
        "metadata_incomplete",
        Loss.NOTHING,
        "Composer or composition is not given: the recording counts as a work of its own.",
        "Fill in composer and composition.",
    )
    METADATA_DUPLICATE = (
        "metadata_duplicate",
        Loss.NOTHING,
        "Several rows of metadata have one id; the first one is used.",
        "Remove all rows but one.",
    )
    METADATA_MISSING = (
        "metadata_missing",
        Loss.NOTHING,
        "No metadata say which work a recording plays: it counts as a work of its own.",
        "Add the file, or the row.",
    )
    METADATA_NO_PERMISSION = (
        "metadata_no_permission",
        Loss.NOTHING,
        "The metadata file may not be read.",
        "Grant read permission to the user who runs the pipeline.",
    )
    METADATA_IS_FOLDER = (
        "metadata_is_folder",
        Loss.NOTHING,
        "The metadata file is a folder.",
        "Move the folder elsewhere.",
    )
    METADATA_NOT_A_FILE = (
        "metadata_not_a_file",
        Loss.NOTHING,
        "The metadata file is a pipe or a device.",
        "Replace it with a regular file.",
    )
    METADATA_UNREADABLE = (
        "metadata_unreadable",
        Loss.NOTHING,
        "The metadata file cannot be read.",
        "Check the disk; copy the file again.",
    )

    @property
    def is_notice(self) -> bool:
        return self.loss is Loss.NOTHING

    @staticmethod
    def of_file(stage: RejectStage, reason: str) -> RejectReason:
        """The code for an `UnreadableFileError` of that reason."""
        return REASONS[f"{stage}_{reason}"]


REASONS: Mapping[str, RejectReason] = {reason.value: reason for reason in RejectReason}
"""By their codes."""
