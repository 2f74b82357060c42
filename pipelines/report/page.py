"""The page about a dataset, made in one pass over its windows."""

from __future__ import annotations

import dataclasses
import posixpath

from musicnet_duet.pages.html import Markup, element, page, section, table
from musicnet_duet.progress import ProgressDisplay
from pipelines.report import figures
from pipelines.report.reading import read_split, shares, spread, valid_frames
from pipelines.report.sample import Invert, window_article
from pipelines.report.tally import Tally
from pipelines.summary import DatasetSummary, summarize
from schemas import Dataset, FeatureConfig
from schemas.errors import DamagedDataError

WINDOWS = 10
"""How many are shown, evenly spread over the splits."""

_DAMAGED_NAMED = 5


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Pass:
    """What one pass over the windows came to.

    `tallies` are by split, of the splits with windows; `shown` are some of the windows; `damaged`
    says what is wrong with each that could not be read.
    """

    tallies: dict[str, Tally]
    shown: tuple[Markup, ...]
    damaged: tuple[str, ...]


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class DatasetPage:
    """A page in HTML, the number of windows that it counts, and how many of them are damaged."""

    html: bytes
    windows: int
    damaged: int


def dataset_page(dataset: Dataset, *, invert: Invert | None = None) -> DatasetPage:
    """The page about a dataset; the same dataset gives the same bytes, wherever it is.

    `invert` makes sound of a spectrogram where the dataset has no waveform; None where it is not
    installed. Raises `DatasetError` where tables are missing or damaged, or a shard is missing;
    damaged windows are counted.
    """
    summary, manifest = summarize(dataset), dataset.manifest
    rows = dataset.recordings().to_pylist()
    config = dataset.config
    found = _read(dataset, {row["recording_id"]: row for row in rows}, invert)
    name = posixpath.basename(dataset.storage.root.rstrip("/")) or dataset.storage.root
    content = [
        introduction(summary),
        *_damage(found),
        figures.splits_section(summary, rows),
        figures.rejects_section(summary),
        figures.levels_section(rows, found.tallies, config),
        *([figures.notes_section(found.tallies, config)] if "notes" in config.features else []),
        figures.labels_section(rows),
        section(
            "Windows",
            element("p", _listening(config, invert)),
            element("div", *found.shown, class_="windows"),
        ),
        figures.configuration_section(summary, manifest),
    ]
    return DatasetPage(
        html=page(f"Dataset {name}", *content),
        windows=sum(split.windows for split in summary.splits.values()),
        damaged=len(found.damaged),
    )


def _read(dataset: Dataset, rows: dict[str, dict[str, object]], invert: Invert | None) -> Pass:
    counts = {name: split.windows for name, split in dataset.manifest.splits.items()}
    shown_of, config = shares(counts, WINDOWS), dataset.config
    level = "log_mel" if "log_mel" in config.features else "waveform"
    tallies, shown, damaged = {}, [], []
    with ProgressDisplay("reading", unit="windows", total=sum(counts.values())) as progress:
        for split, count in counts.items():
            if not count:
                continue
            tally = Tally.zero()
            half = config.window_frames // 2
            chosen = frozenset(spread(valid_frames(dataset, split), shown_of[split], half))
            windows = read_split(dataset, split, features=(level, "notes"), whole=chosen)
            for position, window in windows:
                if isinstance(window, DamagedDataError):
                    damaged.append(str(window))
                else:
                    tally += Tally.of(window, config)
                    if position in chosen:
                        row = rows.get(window.recording_id, {})
                        shown.append(window_article(window, row, split, config, invert=invert))
                progress.update()
            tallies[split] = tally
    return Pass(tallies=tallies, shown=tuple(shown), damaged=tuple(damaged))


def introduction(summary: DatasetSummary) -> Markup:
    """What the windows are, how many bytes they take, and the fingerprint."""
    config = summary.config
    formats = " and ".join(summary.formats)
    text = (
        f"{summary.megabytes:,} MB as {formats}: windows of {config['window_frames']:,} frames "
        f"({summary.window_seconds:,} s), a new one every {config['stride_frames']:,} frames, at "
        f"{config['sample_rate']:,} Hz, hop {config['hop_length']:,}, {config['n_mels']:,} mels."
    )
    if config["stride_frames"] < config["window_frames"]:
        text += " Windows overlap: figures count the frames that they share in each of them."
    return Markup(
        element("p", text) + element("p", f"Fingerprint {summary.fingerprint}", class_="soft")
    )


def _damage(found: Pass) -> list[Markup]:
    if not found.damaged:
        return []
    count = f"{len(found.damaged):,} damaged windows are left out of all figures"
    text = element("p", f"{count}; duet verify names all that is damaged.", class_="warning")
    rows = [[line] for line in found.damaged[:_DAMAGED_NAMED]]
    return [text, table("Damaged windows, the first ones", ["what is wrong"], rows)]


def _listening(config: FeatureConfig, invert: Invert | None) -> str:
    chosen = (
        "Spread evenly over the splits, long ones where there is a choice; padding is left out."
    )
    if "waveform" in config.features:
        return f"{chosen} The players play the windows' own waveform."
    again = "make the dataset again with the feature waveform to hear the recordings"
    if "log_mel" not in config.features:
        return f"{chosen} Nothing can be heard: there is no waveform and no log_mel; {again}."
    if invert is None:
        return (
            f"{chosen} Nothing can be heard: there is no waveform, and what makes sound of a "
            f"spectrogram is not installed (pip install '.[training]'); {again}."
        )
    return f"{chosen} The sound is made from the spectrograms, since there is no waveform; {again}."
