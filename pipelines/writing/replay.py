"""What runs rejected: reading it, showing it, and trying one recording again."""

from __future__ import annotations

import dataclasses
import shlex

import pyarrow as pa

from pipelines.build_folder import is_published, replacement_folder
from pipelines.errors import PipelineError
from pipelines.recordings.ids import id_key
from pipelines.recordings.listing import list_sources
from pipelines.run_state import unfinished_rejects
from pipelines.writing.recording_windows import recording_windows
from schemas import Dataset, FeatureConfig, Storage, Window
from schemas.rejects import Reject, RejectStage, printable, reason_of


@dataclasses.dataclass(frozen=True, eq=False)
class RunRejects:
    """What one run rejected or noticed: a table of `tables.REJECTS`.

    `input_root` is known of a run that did not finish; a dataset does not say what it was made of.
    """

    features: FeatureConfig
    rejects: pa.Table
    finished: bool
    input_root: str | None


def read_rejects(output: str) -> list[RunRejects]:
    """Of the dataset in `output`, and of an unfinished run that was to make or replace it.

    Raises `PipelineError` where there is neither.
    """
    storage = Storage(output)
    found = []
    if is_published(storage):
        dataset = Dataset(output)
        found.append(RunRejects(dataset.config, dataset.rejects(), True, None))
    for folder in [output, replacement_folder(output)] if storage.is_local else [output]:
        unfinished = unfinished_rejects(Storage(folder))
        if unfinished:
            input_root, features, rejects = unfinished
            found.append(RunRejects(features, rejects, False, input_root))
    if not found:
        raise PipelineError(f"{output}: holds neither a dataset nor the work of a run")
    return found


def rejects_text(run_rejects: RunRejects, output: str) -> str:
    """A line per reject, and the command that tries one of the recordings again."""
    rows = run_rejects.rejects.to_pylist()
    run = "the dataset" if run_rejects.finished else "a run that did not finish"
    rejected = [row for row in rows if not reason_of(row["reason"]).is_notice]
    lines = [f"{output}: rejected by {run}: {len(rejected)}; notices: {len(rows) - len(rejected)}"]
    for row in rows:
        name = printable(row["recording_id"]) or "all recordings"
        position = "" if row["position"] is None else f" at {row['position']}"
        lines.append(f"  {name}: {row['stage']}{position}: {row['reason']}: {row['message']}")
    names = [row["recording_id"] for row in rejected if row["recording_id"]]
    if names:
        # One that a shell can be given on one line, where there is one.
        name = min(names, key=lambda name: name != printable(name))
        root = run_rejects.input_root or "ROOT"
        command = ["duet", "rejects", output, f"--replay={name}"]
        lines.append("try one again, without touching anything:")
        lines.append(f"  {shlex.join([*command, '--input', root])}")
    return "\n".join(lines)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Replay:
    """What became of one recording. `windows` counts its windows, rejected ones included."""

    recording_id: str
    windows: int
    rejects: tuple[Reject, ...]
    notices: tuple[Reject, ...]


_IDS_SHOWN = 10


def replay(recording_id: str, input_root: str, features: FeatureConfig) -> Replay:
    """Inspects one recording and cuts all its windows, as a run would.

    Raises `PipelineError` where there is no such recording.
    """
    sources, listing_rejects = list_sources(input_root)
    key = id_key(recording_id)
    rejects = [reject for reject in listing_rejects if id_key(reject.recording_id) == key]
    chosen = [source for source in sources if id_key(source.recording_id) == key]
    if not chosen and not rejects:
        known = ", ".join(source.recording_id for source in sources[:_IDS_SHOWN])
        raise PipelineError(
            f"{input_root}: holds no recording {recording_id!r}; some of those it holds: {known}"
        )
    windows = 0
    for source in chosen:
        for each in recording_windows(source, input_root=input_root, features=features):
            if isinstance(each, Reject):
                rejects.append(each)
            # Rejected ones count as well: they are what the recording was cut into.
            windows += isinstance(each, Window) or each.stage == RejectStage.WINDOW
    return Replay(
        recording_id=recording_id,
        windows=windows,
        rejects=tuple(each for each in rejects if not each.reason.is_notice),
        notices=tuple(each for each in rejects if each.reason.is_notice),
    )


def replay_text(result: Replay) -> str:
    """The same for people."""
    lines = [f"{each.reason}: {each.message}" for each in (*result.rejects, *result.notices)]
    counts = (
        f"windows: {result.windows}; rejected: {len(result.rejects)}; "
        f"notices: {len(result.notices)}"
    )
    return "\n".join([*lines, f"{printable(result.recording_id)}: {counts}"])
