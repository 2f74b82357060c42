"""Where a run's files go: errors of saving say how the run is continued."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from musicnet_duet.outputs import RUN_FILE
from schemas import DatasetError
from training.errors import TrainingError
from training.runs import is_run


@contextlib.contextmanager
def saving(run_dir: str) -> Iterator[None]:
    """Nothing is saved in a folder that vanished; other errors say how the run is continued.

    Raises `TrainingError`.
    """
    _require_run(run_dir)
    try:
        yield
    except DatasetError as error:
        _require_run(run_dir)
        text = str(error)
        if not isinstance(error.__cause__, OSError):
            raise
        if text.endswith("again"):
            text += " with resume=True"
        raise TrainingError(text) from error


def _require_run(run_dir: str) -> None:
    if not is_run(run_dir):
        raise TrainingError(
            f"{run_dir}: its {RUN_FILE} vanished during training, so nothing can be saved; start "
            "another run"
        )
