"""`duet report`: a page about a dataset, or about a run; each needs its own half installed."""

from __future__ import annotations

import argparse
import dataclasses
import functools
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from musicnet_duet.arguments import path, path_ending_in
from musicnet_duet.command import Command, CommandParser, Outcome
from schemas.errors import DuetError

if TYPE_CHECKING:
    from pipelines.report.sample import Invert

Kind = Literal["dataset", "run"]


class ReportError(DuetError):
    """There is nothing to report on."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Report:
    """The page that was written.

    `target` is the dataset or the run that it is about, `kind` which of them; `html` is the page's
    file and `nbytes` its size. `damaged` counts windows of a dataset that could not be read.
    """

    target: str
    kind: Kind
    html: str
    nbytes: int
    damaged: int = 0


def _add_options(parser: CommandParser) -> None:
    parser.add_path(
        "target", type=path, metavar="DATASET|RUN", help="the dataset or the run to report on"
    )
    parser.add_path(
        "--html",
        type=path_ending_in(".html"),
        required=True,
        metavar="FILE.html",
        help="the page to write",
    )
    parser.add_path(
        "--data",
        type=path,
        metavar="DATASET",
        help="for a run: the dataset whose windows are heard beside what the model plays, and "
        "whose scores it plays",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the page if it exists")


def kind_of(target: str) -> Kind:
    """What a folder or a URL holds. Raises `ReportError` where it is neither of them."""
    from musicnet_duet.outputs import COMPOSER_FILE, RUN_FILE, TRANSCRIBER_FILE
    from schemas import Storage
    from schemas.manifest import MANIFEST_FILE

    storage = Storage(target)
    storage.require_store()
    if storage.exists(MANIFEST_FILE):
        return "dataset"
    if storage.is_local and storage.exists(RUN_FILE):
        return "run"
    for name, what in ((COMPOSER_FILE, "composer"), (TRANSCRIBER_FILE, "transcriber")):
        if storage.exists(name):
            raise ReportError(
                f"{target}: is the run of a {what}, and there is a report on runs of duet train "
                f"alone; see duet evaluate-{what}"
            )
    missing = "" if storage.exists() else "there is nothing here; "
    raise ReportError(
        f"{target}: {missing}neither a dataset ({MANIFEST_FILE}) nor a run ({RUN_FILE}); name the "
        "folder of one"
    )


def _report(options: argparse.Namespace) -> Outcome:
    from musicnet_duet.outputs import require_free

    target = Path(options.html)
    kind = kind_of(options.target)
    if kind == "dataset" and options.data is not None:
        raise ReportError(f"{options.target}: is a dataset; leave out --data, which is for a run")
    require_free([target], overwrite=options.overwrite)
    if kind == "run":
        return _of_run(options)
    html, damaged = _dataset(options.target)
    return _written(options, kind, html, damaged)


def _of_run(options: argparse.Namespace) -> Outcome:
    from training.prepared import prepared

    def run(options: argparse.Namespace) -> Outcome:
        from training.report.page import run_page

        return _written(options, "run", run_page(options.target, options.data))

    return prepared(run)(options)


def _written(options: argparse.Namespace, kind: Kind, html: bytes, damaged: int = 0) -> Outcome:
    from musicnet_duet.outputs import write_together

    write_together({Path(options.html): html})
    result = Report(
        target=options.target, kind=kind, html=options.html, nbytes=len(html), damaged=damaged
    )
    text = f"{options.html}: a page about the {kind} {options.target}, {len(html) / 1e6:.1f} MB"
    if damaged:
        text += f"\n{damaged:,} damaged windows were left out; duet verify names them"
    return Outcome(result, text)


def _dataset(target: str) -> tuple[bytes, int]:
    from pipelines.report.page import dataset_page
    from schemas import Dataset

    dataset = Dataset(target)
    invert = None if "waveform" in dataset.config.features else _inverter()
    page = dataset_page(dataset, invert=invert)
    return page.html, page.damaged


def _inverter() -> Invert | None:
    """What makes sound of a spectrogram; None where that half is not installed."""
    try:
        from training.inversion import mel_to_audio
    except ImportError:
        return None
    return functools.partial(mel_to_audio, seed=0)


REPORT = Command(
    name="report",
    text="Write a page about a dataset or a run, to look at and to listen to.",
    # What a page about a dataset needs is part of either extra.
    extra="training",
    add_options=_add_options,
    run=_report,
)
