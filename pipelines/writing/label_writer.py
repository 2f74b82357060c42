"""Keeping the labels of a recording that was inspected."""

from __future__ import annotations

from pipelines.audio.decoded import DecodedRecordings, decoded_folder
from pipelines.build_folder import starting_over
from pipelines.errors import PipelineError
from pipelines.recordings.inspection import Inspected, inspect_recording
from pipelines.recordings.source import Source
from pipelines.run_state import read_claim
from schemas import FeatureConfig, Storage
from schemas.tables import labels_file


def inspect_and_keep(
    source: Source, input_root: str, build_root: str, config: FeatureConfig
) -> Inspected:
    """As `inspect_recording`, and writes the labels into the folder in which the dataset is built.

    Raises `PipelineError` where another plan's work lies there that was made from other labels.
    """
    decoded = DecodedRecordings(decoded_folder(build_root))
    inspected, labels = inspect_recording(source, input_root, config, decoded)
    if labels is None:
        return inspected
    output = Storage(build_root)
    name = labels_file(source.recording_id)
    if output.exists(name):
        if output.read_bytes(name) == labels:
            return inspected
        if read_claim(output) is not None:
            raise PipelineError(
                f"{output.path(name)}: was written from other labels than those of this run; "
                f"{starting_over(output)}, or choose another output"
            )
    output.write_bytes(name, labels)
    return inspected
