"""What TensorBoard shows of a run: scalars, pictures and sound."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from musicnet_duet.plots import colorize
from schemas.storage import writing

_CAUSES = {
    tf.errors.ResourceExhaustedError: errno.ENOSPC,
    tf.errors.PermissionDeniedError: errno.EACCES,
    tf.errors.NotFoundError: errno.ENOENT,
}
"""Errors of TensorFlow's files, as the system knows them; any other one is of the device."""


class Board:
    """Files for TensorBoard in `folder`, which are complete when the `with` block ends.

    Raises `schemas.DatasetError` with the folder, the cause, and the remedy where they cannot be
    written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with self._writing():
            self._writer = tf.summary.create_file_writer(str(folder))

    def __enter__(self) -> Board:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            with self._writing():
                self._writer.close()
        else:
            with contextlib.suppress(tf.errors.OpError):  # What went wrong before is told.
                self._writer.close()

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        with self._writing(), self._writer.as_default():
            for name, value in values.items():
                tf.summary.scalar(name, value, step=step)

    def picture(self, name: str, step: int, *log_mels: NDArray[Any]) -> None:
        """Spectrograms [frames, n_mels] in dB, one below the other, in the colors of the first."""
        top_db = float(log_mels[0].max())
        image = np.concatenate([colorize(log_mel, top_db) for log_mel in log_mels])
        with self._writing(), self._writer.as_default():
            tf.summary.image(name, image[np.newaxis], step=step)

    def sound(self, name: str, step: int, samples: NDArray[Any], sample_rate: int) -> None:
        """Samples, float32 [samples]; made softer where they would clip."""
        peak = float(np.abs(samples).max()) or 1.0
        audio = (samples / max(1.0, peak))[np.newaxis, :, np.newaxis]
        with self._writing(), self._writer.as_default():
            tf.summary.audio(name, audio, sample_rate, step=step)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except tf.errors.OpError as error:
            cause = _CAUSES.get(type(error), errno.EIO)
            with writing(self._folder):
                raise OSError(cause, os.strerror(cause)) from error
