"""The page about a run."""

from __future__ import annotations

from pathlib import Path

from musicnet_duet.pages.html import Markup, element, page, section
from schemas import Dataset
from training.fitting.checkpoints import Checkpoints, Index
from training.fitting.curve import Curve
from training.fitting.metrics import whole_lines
from training.report import figures
from training.report.sounds import Excerpt, real_excerpts, sampled_excerpts
from training.runs import CHECKPOINTS, METRICS, Run, read_run

_NO_DATA = "Give --data DATASET"


def run_page(run_dir: str, data: str | None = None) -> bytes:
    """The page about a run, in HTML; the same run and data give the same bytes on one machine.

    With `data`, what the model plays is beside windows of that dataset. Raises `TrainingError`
    where there is no run, or where the dataset's features are not those of the run.
    """
    run, folder = read_run(run_dir), Path(run_dir)
    dataset = None if data is None else Dataset(data)
    if dataset is not None:
        run.require_features(dataset)
    curve = Curve.of(whole_lines(folder / METRICS), run.score)
    index = Checkpoints(folder / CHECKPOINTS).index()
    name = folder.name or folder.resolve().name
    return page(
        f"Run {name}",
        element("p", _introduction(run, curve)),
        element("p", f"Trained on the dataset with the fingerprint {run.fingerprint}.",
                class_="soft"),
        figures.results_section(run, curve, index),
        figures.curve_section(run, curve),
        _sounds_section(run_dir, run, index, dataset),
        figures.configuration_section(run),
    )  # fmt: skip


def _introduction(run: Run, curve: Curve) -> str:
    steps = f"after {curve.training[-1][0]:,} steps" if curve.training else "before its first step"
    if run.function is not None:
        return f"The model {run.function}, {steps}."
    units = " and ".join(map(str, run.model.units))
    heard = " and ".join(run.model.hears)
    return f"A {run.model.recurrent.upper()} of {units} units that hears {heard}, {steps}."


def _sounds_section(run_dir: str, run: Run, index: Index, dataset: Dataset | None) -> Markup:
    """What the model plays, each beside a real window where there are some; or why it does not."""
    title = "Real windows" if (silent := why_silent(run, index, dataset)) else "Samples"
    real = [] if dataset is None else real_excerpts(dataset)
    played = [] if silent else sampled_excerpts(run_dir, run, real)
    content = [element("p", silent or _about(run, index, dataset))]
    if dataset is not None and dataset.manifest.fingerprint != run.fingerprint:
        another = "The dataset is another one than the run was trained on."
        content.append(element("p", another, class_="warning"))
    articles = [
        figures.excerpt_article(excerpt, run.features) for excerpt in _in_turn(real, played)
    ]
    return section(title, *content, element("div", *articles, class_="windows"))


def why_silent(run: Run, index: Index, dataset: Dataset | None) -> str:
    """Why nothing can be played; nothing where something can."""
    if run.function is not None:
        return "Nothing is played: a model of your own cannot be sampled."
    if index.latest is None:
        return "Nothing is played: the run has no checkpoint yet."
    if not run.model.generates:
        heard = " and ".join(run.model.hears)
        return (
            f"Nothing is played: a model that hears {heard} with the horizon {run.model.horizon} "
            "does not generate."
        )
    if "notes" in run.model.hears and dataset is None:
        return f"Nothing is played: the model plays scores. {_NO_DATA} for those of a dataset."
    return ""


def _about(run: Run, index: Index, dataset: Dataset | None) -> str:
    how = f"Sampled from the checkpoint at step {index.latest:,}, as duet generate does"
    if dataset is None:
        return f"{how}. {_NO_DATA} for real windows beside them."
    score = "; each plays the score of the window before it" if "notes" in run.model.hears else ""
    own = (
        "the windows' own waveform"
        if "waveform" in dataset.config.features
        else "made from their spectrograms, as that of the samples is"
    )
    return f"{how}{score}. The sound of real windows is {own}."


def _in_turn(real: list[Excerpt], played: list[Excerpt]) -> list[Excerpt]:
    """A real window, what the model plays, the next window: side by side on a wide screen."""
    if not real or not played:
        return [*real, *played]
    return [each for pair in zip(real, played, strict=False) for each in pair]
