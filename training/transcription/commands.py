"""The commands that train, score and use transcribers: their options, and what they print."""

from __future__ import annotations

import argparse
from pathlib import Path

from musicnet_duet.arguments import count, local_path, one_of, seed_31_bits
from musicnet_duet.command import CommandParser, Outcome
from training.shared_options import (
    OTHER_DATASET,
    add_data,
    add_output,
    add_run,
    add_split,
    damage_lines,
    memory_bytes,
)
from training.transcription.config import HEARING, MODELS, TranscriberConfig

_DEFAULT = TranscriberConfig()
_SETTINGS = ("model", "hear", "steps", "seed")


def add_train_options(parser: CommandParser) -> None:
    add_data(parser)
    add_run(parser, text="the folder to write the transcriber to")
    parser.add_argument(
        "--model",
        type=one_of(MODELS),
        choices=MODELS,
        default=_DEFAULT.model,
        help="a linear model of a few frames, or one with recurrent layers in both directions "
        f"(default: {_DEFAULT.model})",
    )
    parser.add_argument(
        "--hear",
        type=one_of(HEARING),
        choices=HEARING,
        default=_DEFAULT.hear,
        help="the log-mel spectrogram (frequency), the waveform through learned filters (time), or "
        f"both (default: {_DEFAULT.hear})",
    )
    parser.add_argument(
        "--steps",
        type=count,
        default=_DEFAULT.steps,
        help=f"the steps of training (default: {_DEFAULT.steps})",
    )
    parser.add_argument(
        "--seed",
        type=seed_31_bits,
        default=_DEFAULT.seed,
        help="the seed for weights, the order of windows and all random draws "
        f"(default: {_DEFAULT.seed})",
    )


def add_evaluate_options(parser: CommandParser) -> None:
    add_run(parser, text="the folder of the transcriber")
    add_data(parser)
    add_split(parser)


def add_transcribe_options(parser: CommandParser) -> None:
    parser.add_path("audio", type=local_path, metavar="AUDIO", help="the recording to transcribe")
    add_run(parser, text="the folder of the transcriber")
    add_output(parser, ".mid", "MIDI")


def run_train(options: argparse.Namespace) -> Outcome:
    from training.transcription.train import train_transcriber

    config = TranscriberConfig(**{name: getattr(options, name) for name in _SETTINGS})
    result = train_transcriber(
        options.data, options.run_dir, config, memory_bytes=memory_bytes(options)
    )
    lines = [
        f"{result.run_dir}: {config.steps} steps in {result.seconds:.0f} s",
        f"average precision on validation: {_figure(result.run.validation_average_precision)}",
        *damage_lines(result.damaged_count, result.damaged_windows),
    ]
    return Outcome(result, "\n".join(lines))


def run_evaluate(options: argparse.Namespace) -> Outcome:
    from training.transcription.evaluate import evaluate_transcriber

    result = evaluate_transcriber(
        options.run_dir, options.data, options.split, memory_bytes=memory_bytes(options)
    )
    width = max(len(name) for name in ["recording", *(e.recording_id for e in result.recordings)])
    lines = [
        f"notes of the {result.split} split, from 0 to 1, higher is better",
        f"{'recording':{width}} {'frames':>8} {'precision':>10} {'onset F':>8}",
    ]
    rows = [
        (each.recording_id, each.frames, each.average_precision, each.onsets)
        for each in result.recordings
    ]
    for name, frames, precision, onsets in [
        *rows,
        ("all", result.frames, result.average_precision, result.onsets),
    ]:
        onset_f = None if onsets is None else onsets.f
        lines.append(f"{name:{width}} {frames:8d} {_figure(precision):>10} {_figure(onset_f):>8}")
    frame = result.frame_agreement
    lines += [
        "precision is the average precision of all frames and 128 notes together; the mean over "
        f"pitches is {_figure(result.average_precision_by_pitch)}",
        f"frames: precision {frame.precision:.3f}, recall {frame.recall:.3f}, F {frame.f:.3f}",
    ]
    if (onset := result.onsets) is not None:
        lines.append(
            f"onsets within 50 ms, mean over recordings: precision {onset.precision:.3f}, recall "
            f"{onset.recall:.3f}, F {onset.f:.3f}"
        )
    lines.append(result.works.sentence() if result.same_dataset else OTHER_DATASET)
    lines += damage_lines(result.damaged_count, result.damaged_windows)
    return Outcome(result, "\n".join(lines))


def run_transcribe(options: argparse.Namespace) -> Outcome:
    from training.transcription.transcribe import transcribe

    result = transcribe(
        Path(options.audio), options.run_dir, Path(options.output), overwrite=options.overwrite
    )
    text = (
        f"{options.output}: {result.notes} notes in {result.seconds:.1f} s; a piano roll and the "
        "provenance are beside it"
    )
    return Outcome(result, text)


def _figure(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"
