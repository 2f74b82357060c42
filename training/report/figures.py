"""The tables and charts of a page about a run; nothing here reads a file."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from musicnet_duet.pages.charts import Axis, Series, line_chart
from musicnet_duet.pages.html import Cell, Markup, Number, element, number, picture, section, table
from musicnet_duet.pages.players import player
from musicnet_duet.pages.settings import settings_table
from musicnet_duet.pages.windows import draw_window
from schemas import FeatureConfig
from training.fitting.checkpoints import Index, best_of
from training.fitting.curve import Curve, Points
from training.report.sounds import Excerpt
from training.runs import Run

_MOST_POINTS = 300
"""Of the curve of training: more would be noise."""

_MOST_ROWS = 12
_UNITS = {"bits": "bits per dimension", "loss": "loss"}


def curve_section(run: Run, curve: Curve) -> Markup:
    """The score over the steps, in training and validation, and the learning rate."""
    if not curve.training:
        return section("Curve", element("p", "No step is noted yet."))
    means, block = averaged(curve.training, _MOST_POINTS)
    label = "training, each step" if block == 1 else f"training, mean of {block} steps"
    series = [_series(label, means, dots=len(means) == 1)]
    if curve.validation:
        series.append(_series("validation", curve.validation, dots=True))
    x, unit = Axis(label="step"), _UNITS[run.score]
    rate = [_series("learning rate", curve.learning_rate)]
    return section(
        "Curve",
        picture(
            line_chart(series, x, Axis(label=unit)),
            f"{unit.capitalize()} over the steps, in training and validation.",
            f"{unit.capitalize()}; lower is better.",
        ),
        picture(
            line_chart(rate, x, Axis(label="learning rate")),
            "The learning rate over the steps.",
            "The learning rate.",
        ),
    )


def results_section(run: Run, curve: Curve, index: Index) -> Markup:
    """What the run came to, and its validations."""
    unit = _UNITS[run.score]
    best_step, best = best_of(curve.validation)
    results: list[list[Cell]] = [["steps", curve.training[-1][0] if curve.training else 0]]
    if curve.training:
        results.append([f"training, last step ({unit})", number(curve.training[-1][1], 3)])
    if best is not None and best_step is not None:
        results += [
            [f"validation, last ({unit})", number(curve.validation[-1][1], 3)],
            [f"validation, best ({unit})", number(best, 3)],
            ["step of the best validation", best_step],
        ]
    kept = ", ".join(f"{each:,}" for each in index.steps)
    results.append(["checkpoints at steps", Number(kept or "none")])
    training = dict(curve.training)
    validations: list[list[Cell]] = [
        [f"{step:,}", number(training[step], 3) if step in training else "-", number(score, 3)]
        for step, score in _some(curve.validation, best_step)
    ]
    content = [table("What it came to", ["result", "value"], results)]
    if validations:
        header = ["step", f"training ({unit})", f"validation ({unit})"]
        caption = "Validations"
        if len(validations) < len(curve.validation):
            caption = f"{len(validations)} of {len(curve.validation):,} validations"
        content.append(table(caption, header, validations))
    return section("Results", *content)


def configuration_section(run: Run) -> Markup:
    """What the run was started with."""
    model: Mapping[str, Any] = dataclasses.asdict(run.model)
    if run.function is not None:
        model = {"function": run.function, "n_mels": run.model.n_mels, "seed": run.model.seed}
    features = {
        name: value for name, value in run.features.to_dict().items() if name != "definition"
    }
    return section(
        "Configuration",
        settings_table("Model", model),
        settings_table("Training", dataclasses.asdict(run.training)),
        settings_table("Loop", dataclasses.asdict(run.loop)),
        settings_table("Features of the dataset", features),
        table("Versions", ["package", "version"], [*map(list, sorted(run.packages.items()))]),
    )


def excerpt_article(excerpt: Excerpt, config: FeatureConfig) -> Markup:
    """One excerpt: its picture and its player."""
    shown = draw_window(config, log_mel=excerpt.log_mel, notes=excerpt.notes, onsets=excerpt.onsets)
    roll = "" if excerpt.notes is None else " above the piano roll of its score"
    return element(
        "article",
        element("h3", excerpt.title),
        picture(shown, f"Mel spectrogram{roll}: {excerpt.title}"),
        player(excerpt.samples, config.sample_rate, f"Sound: {excerpt.title}"),
    )


def averaged(points: Points, most: int) -> tuple[Sequence[tuple[float, float]], int]:
    """The means of blocks of equal size, at most `most`; and that size.

    A block is placed at the mean of its steps. The last one may be smaller.

    Examples:
        >>> averaged(((1, 5.0), (2, 3.0), (3, 4.0)), 2)
        (((1.5, 4.0), (3.0, 4.0)), 2)
    """
    block = -(-len(points) // most)
    if block <= 1:
        return points, 1
    parts = [
        np.mean(points[first : first + block], axis=0) for first in range(0, len(points), block)
    ]
    return tuple((float(step), float(value)) for step, value in parts), block


def _series(label: str, points: Sequence[tuple[float, float]], *, dots: bool = False) -> Series:
    steps, values = [each[0] for each in points], [each[1] for each in points]
    return Series(label=label, x=steps, y=values, dots=dots)


def _some(validations: Points, best_step: float | None) -> Points:
    """Some validations, evenly spread: the first, the last, and the best among them."""
    places = np.linspace(0, len(validations) - 1, min(_MOST_ROWS, len(validations))).astype(int)
    kept = set(places.tolist())
    return tuple(
        each for number, each in enumerate(validations) if number in kept or each[0] == best_step
    )
