"""What the commands of a composer print, for people."""

from __future__ import annotations

from training.composing.evaluate import COMPOSED, ComposerEvaluation
from training.composing.scoring import SCORERS
from training.reports import aligned


def evaluation_lines(result: ComposerEvaluation) -> list[str]:
    """The bits of each recording, the measures beside real music, and what is a copy."""
    return [*_score_lines(result), "", *_measure_lines(result), *_copy_lines(result)]


def _score_lines(result: ComposerEvaluation) -> list[str]:
    score = result.score
    rows = [["recording", "frames", *SCORERS]]
    for name, frames, bits in [
        *((each.recording_id, each.frames, each.bits) for each in score.recordings),
        ("all", score.frames, score.bits),
    ]:
        rows.append([name, str(frames), *(f"{bits[scorer]:.3f}" for scorer in SCORERS)])
    lines = [f"bits per frame, {result.split} split, lower is better", *aligned(rows)]
    if score.onsets_outside:
        lines.append(f"{score.onsets_outside} onsets are outside of the model's pitches")
    return lines


def _measure_lines(result: ComposerEvaluation) -> list[str]:
    kinds = result.judgments
    rows = [["", *(["5%", "50%", "95%"] if result.intervals else []), *kinds]]
    for name in kinds[COMPOSED].medians:
        percentiles = []
        if result.intervals:
            each = result.intervals[name]
            percentiles = [f"{value:.2f}" for value in (each.low, each.median, each.high)]
        cells = [
            f"{kind.medians[name]:.2f}{'*' if kind.outside and name in kind.outside else ' '}"
            for kind in kinds.values()
        ]
        rows.append([name, *percentiles, *cells])
    lines = [
        f"medians over windows of {result.window_frames} frames, beside percentiles of "
        f"{result.real_windows} real windows; * is outside of them",
        *aligned(rows),
    ]
    if result.intervals is None:
        return [*lines, "too few real windows or recordings: what is like music is unknown"]
    unlike = [f"{name} {kind.unlike_windows} of {kind.windows}" for name, kind in kinds.items()]
    return [*lines, f"windows unlike music: {', '.join(unlike)}"]


def _copy_lines(result: ComposerEvaluation) -> list[str]:
    copies = result.copies
    if copies is None:
        return []
    return [
        f"most onsets in a row as in a training recording: composed {max(copies.composed)}, "
        f"held-out recordings {copies.bound}; a copy: {'yes' if copies.is_copy else 'no'}"
    ]
