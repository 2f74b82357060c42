"""The whole ablation: rows that can be stopped and go on, then a table, a figure and a sentence.

OUT/
  settings.json    what was asked for, the fingerprint of the dataset, and versions
  rows/NAME/       a run of `train` for each row, with its `score.json`
  ablation.md      the table and the sentence
  ablation.json    the same for programs
  ablation.png     the same as a picture
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from musicnet_duet.progress import ProgressDisplay
from schemas import Dataset, Storage
from training.ablation.config import AblationConfig, Row, Setting, matched_by_time, settings
from training.ablation.figure import draw_ablation
from training.ablation.rows import Score, run_row
from training.ablation.table import Condition, conditions, sentence, table
from training.errors import TrainingError
from training.reading.opening import require_stored
from training.runs import require_outside_datasets, run_versions
from training.works import works_of

SETTINGS_FILE = "settings.json"
NEEDED = ("log_mel", "waveform", "notes", "onsets")

Scores = dict[Setting, tuple[int, list[Score]]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ablation:
    """What was compared, and what it shows; `works` is the number of works of the test split."""

    out: str
    conditions: tuple[Condition, ...]
    recordings: int
    works: int | None
    sentence: str
    seconds: float


def ablate(data: str, out: str, config: AblationConfig) -> Ablation:
    """Trains and scores all rows that are not in `out` yet, and writes table, figure and sentence.

    The same dataset, config and machine give the same figures for rows that are matched by steps;
    how many steps match by time is measured once, and kept in `out`. Raises `TrainingError` where
    the dataset lacks a feature, `out` holds something else, and as `train` does.
    """
    started = time.perf_counter()
    dataset = Dataset(data)
    require_stored(dataset, NEEDED)
    folder = Path(out)
    _require_same(folder, dataset, config)
    steps = dict.fromkeys(settings(), config.steps)
    scores = _scores(data, folder, steps, config, "matched by steps")
    speeds = {setting: _speed(each, folder) for setting, (_, each) in scores.items()}
    scores |= _scores(data, folder, matched_by_time(steps, speeds), config, "matched by time")
    names = sorted(next(iter(scores.values()))[1][0].bits)
    works = dict(zip(names, works_of(dataset, names), strict=True))
    known = None if None in works.values() else len(set(works.values()))
    rows = conditions(scores, works)
    result = Ablation(
        out=out,
        conditions=tuple(rows),
        recordings=len(names),
        works=known,
        sentence=sentence(rows, known or 0),
        seconds=time.perf_counter() - started,
    )
    _write(folder, result)
    return result


def _scores(
    data: str,
    folder: Path,
    steps: Mapping[Setting, int],
    config: AblationConfig,
    what: str,
) -> Scores:
    found: Scores = {}
    with ProgressDisplay(what, unit="rows", total=len(steps) * config.seeds) as shown:
        for setting, count in steps.items():
            each = []
            for seed in range(config.seeds):
                row = Row(setting=setting, seed=seed, steps=count)
                each.append(run_row(data, folder / "rows" / row.name, row, config))
                shown.update(figures=row.name)
            found[setting] = count, each
    return found


def _speed(scores: Sequence[Score], folder: Path) -> float:
    """The median of the measured frames per second of training."""
    known = [each.frames_per_second for each in scores if each.frames_per_second is not None]
    if not known:
        raise TrainingError(
            f"{folder}: the speed of a row was not measured, since it was stopped and went on; "
            "choose another folder"
        )
    return float(np.median(known))


def _require_same(folder: Path, dataset: Dataset, config: AblationConfig) -> None:
    """Writes what is asked for, or raises `TrainingError` where `folder` holds another ablation."""
    require_outside_datasets(folder)
    asked = {"config": dataclasses.asdict(config), "fingerprint": dataset.manifest.fingerprint}
    path = folder / SETTINGS_FILE
    if path.exists():
        found = json.loads(path.read_bytes())
        if {name: found.get(name) for name in asked} != asked:
            raise TrainingError(
                f"{path}: is of an ablation with another dataset or other settings; choose another "
                "folder"
            )
        return
    if folder.exists() and any(folder.iterdir()):
        raise TrainingError(f"{folder}: holds something else; choose an empty folder")
    text = json.dumps({**asked, "packages": run_versions()}, indent=1, sort_keys=True)
    Storage(folder).write_bytes(SETTINGS_FILE, f"{text}\n".encode())


def _write(folder: Path, result: Ablation) -> None:
    rows: Sequence[Condition] = result.conditions
    storage = Storage(folder)
    storage.write_bytes("ablation.md", f"{table(rows)}\n\n{result.sentence}\n".encode())
    text = json.dumps(dataclasses.asdict(result), indent=1, sort_keys=True)
    storage.write_bytes("ablation.json", f"{text}\n".encode())
    title = f"{result.recordings} test recordings, {len(rows[0].seeds)} seeds"
    storage.write_bytes("ablation.png", draw_ablation(rows, title=title))
