"""The commands that train, score and use models. What they need is imported when they run."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from musicnet_duet.arguments import (
    UsageError,
    local_path,
    natural,
    number_between,
    path,
)
from musicnet_duet.command import Command, CommandParser, Outcome, Program
from training.ablation.command import add_ablation_options, run_ablation
from training.composer_commands import (
    add_compose_options,
    add_evaluate_composer_options,
    add_train_composer_options,
    run_compose,
    run_evaluate_composer,
    run_train_composer,
)
from training.config import DEFAULT_SCORE_TEMPERATURE, DEFAULT_TEMPERATURE, is_midi
from training.prepared import prepared
from training.shared_options import (
    OTHER_DATASET,
    add_checkpoint,
    add_data,
    add_memory,
    add_output,
    add_run,
    add_split,
    damage_lines,
    memory_bytes,
)
from training.train_command import add_train_options, check_train, run_train
from training.transcription import commands as transcription


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns the exit status; see `Program.main`."""
    return PROGRAM.main(arguments)


def _add_evaluate_options(parser: CommandParser) -> None:
    add_run(parser)
    add_data(parser)
    add_split(parser)
    add_checkpoint(parser)
    parser.add_argument(
        "--free-running",
        action="store_true",
        help="also sample the model, and compare its samples with real music and with sounds that "
        "are not music",
    )
    parser.add_path(
        "--transcriber",
        type=local_path,
        metavar="TRANSCRIBER",
        help="with --free-running: the run of a transcriber, which listens to a model that hears "
        "notes, whether it plays them",
    )


def _check_evaluate(options: argparse.Namespace) -> None:
    if options.transcriber is not None and not options.free_running:
        raise UsageError("--transcriber listens to samples: give --free-running as well")


def _add_generate_options(parser: CommandParser) -> None:
    add_run(parser)
    add_checkpoint(parser)
    add_output(parser, ".wav", "audio")
    parser.add_argument(
        "--seconds",
        type=number_between(0, 86_400, above=True),
        help="the length of the audio, at most a day (default: 10, or all of a score)",
    )
    parser.add_argument(
        "--seed", type=natural, default=0, help="the seed for everything random (default: 0)"
    )
    parser.add_argument(
        "--temperature",
        type=number_between(0, 10, above=True),
        help="the sampling temperature; below 1, levels stay closer to the likeliest (default: "
        f"{DEFAULT_TEMPERATURE}, with a score {DEFAULT_SCORE_TEMPERATURE})",
    )
    parser.add_path(
        "--data",
        type=path,
        metavar="DATASET",
        help="the dataset with the recording of --prime or --score",
    )
    parser.add_path(
        "--score",
        metavar="X.mid|ID",
        help="what a model that hears notes plays: a MIDI file, or a recording of the dataset",
    )
    parser.add_path(
        "--compose",
        dest="composer",
        type=local_path,
        metavar="COMPOSER",
        help="the run of a composer, which makes up what the model plays; X.mid is written as well",
    )
    parser.add_argument(
        "--prime",
        metavar="ID",
        help="the recording whose first window the model continues",
    )


_SCORES = "give --data with a recording of it, and not with a MIDI file, which ends in .mid"


def _check_generate(options: argparse.Namespace) -> None:
    sources = {
        "--prime": options.prime,
        "--score": options.score,
        "--compose": options.composer,
    }
    given = [flag for flag, value in sources.items() if value is not None]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)}: give one of them")
    if options.score is None:
        if (options.prime is None) != (options.data is None):
            raise UsageError("--prime and --data belong together: give both or neither")
    elif is_midi(options.score) == (options.data is not None):
        raise UsageError(f"--score {options.score}: {_SCORES}")


def _add_compare_options(parser: CommandParser) -> None:
    add_run(parser)
    add_data(parser)
    parser.add_path(
        "--audio", type=path, required=True, metavar="X.wav", help="the recording to compare"
    )


def _generate(options: argparse.Namespace) -> Outcome:
    from training.generate import GenerationOptions, generate

    request = GenerationOptions(
        seconds=options.seconds,
        output=Path(options.output),
        seed=options.seed,
        temperature=options.temperature,
        data=options.data,
        prime=options.prime,
        score=options.score,
        composer=options.composer,
        checkpoint=options.checkpoint,
        overwrite=options.overwrite,
        memory_bytes=memory_bytes(options),
    )
    provenance = generate(options.run_dir, request)
    text = (
        f"{options.output}: {provenance.seconds:g} s from step {provenance.step}, "
        f"{provenance.rms_db:.1f} dB RMS, spectral centroid "
        f"{provenance.centroid_hz:.0f} Hz; a plot and the provenance are beside it"
    )
    return Outcome(provenance, text)


def _evaluate(options: argparse.Namespace) -> Outcome:
    from training.bootstrap import MIN_WORKS
    from training.evaluate import SCORERS, evaluate
    from training.free_running import free_running
    from training.reports import free_running_lines

    arguments = (options.run_dir, options.data, options.split)
    further = {
        "checkpoint": options.checkpoint,
        "memory_bytes": memory_bytes(options),
    }
    sampled = None
    if options.free_running:
        sampled = free_running(*arguments, **further, transcriber=options.transcriber)
    result = evaluate(*arguments, **further)
    result = dataclasses.replace(result, free_running=sampled)
    rows = [(score.recording_id, score.frames, score.bits) for score in result.recordings]
    width = max(len(name) for name in ["recording", *(name for name, _, _ in rows)])
    lines = [
        f"bits per dimension, {result.split} split, {result.frames} frames, lower is better",
        f"{'recording':{width}} {'frames':>8} " + " ".join(f"{name:>14}" for name in SCORERS),
    ]
    for name, frames, bits in [*rows, ("all", result.frames, result.bits)]:
        figures = " ".join(f"{bits[scorer]:14.3f}" for scorer in SCORERS)
        lines.append(f"{name:{width}} {frames:8d} {figures}")
    for name, difference in result.paired.items():
        interval = "unknown"
        if difference.interval is not None:
            interval = "{:.3f} to {:.3f}".format(*difference.interval)
        lines.append(
            f"{name} - model, mean over recordings: {difference.mean:.3f}, "
            f"95 % interval over works: {interval}"
        )
    if any(difference.interval is None for difference in result.paired.values()):
        lines.append(f"an interval needs {MIN_WORKS} works or more, and that of every recording")
    lines.append(result.works.sentence() if result.same_dataset else OTHER_DATASET)
    if sampled is not None:
        lines += ["", *free_running_lines(sampled)]
    return Outcome(
        result, "\n".join([*lines, *damage_lines(result.damaged_count, result.damaged_windows)])
    )


def _compare(options: argparse.Namespace) -> Outcome:
    from training.compare import compare
    from training.reports import comparison_lines

    result = compare(
        options.run_dir,
        options.data,
        options.audio,
        memory_bytes=memory_bytes(options),
    )
    lines = [
        *comparison_lines(result),
        *damage_lines(result.damaged_count, result.damaged_windows),
    ]
    return Outcome(result, "\n".join(lines))


def _command(
    name: str,
    text: str,
    add_options: Callable[[CommandParser], None],
    run: Callable[[argparse.Namespace], Outcome],
    *,
    reads_datasets: bool = True,
    **more: Any,
) -> Command:
    def add_all_options(parser: CommandParser) -> None:
        add_options(parser)
        if reads_datasets:
            add_memory(parser)

    return Command(
        name=name,
        text=text,
        extra="training",
        add_options=add_all_options,
        # Whether training is deterministic is a setting of the run.
        run=prepared(run, deterministic=name != "train"),
        **more,
    )


COMMANDS = (
    _command(
        "train",
        "Train a model on a dataset, or resume a run.",
        add_train_options,
        run_train,
        check=check_train,
    ),
    _command(
        "evaluate",
        "Score a model and baselines in bits per dimension, and judge its samples.",
        _add_evaluate_options,
        _evaluate,
        check=_check_evaluate,
    ),
    _command(
        "generate",
        "Generate music as a WAV file, with a plot and its provenance.",
        _add_generate_options,
        _generate,
        check=_check_generate,
    ),
    _command(
        "compare",
        "Compare a recording with the training data: is it similar, or a copy?",
        _add_compare_options,
        _compare,
    ),
    _command(
        "ablation",
        "Compare what models hear: train and score all conditions.",
        add_ablation_options,
        run_ablation,
    ),
    _command(
        "train-transcriber",
        "Train a model that hears which notes sound.",
        transcription.add_train_options,
        transcription.run_train,
    ),
    _command(
        "evaluate-transcriber",
        "Score how well a transcriber hears the notes of a split.",
        transcription.add_evaluate_options,
        transcription.run_evaluate,
    ),
    _command(
        "transcribe",
        "Transcribe a recording to a MIDI file, with a piano roll and its provenance.",
        transcription.add_transcribe_options,
        transcription.run_transcribe,
        reads_datasets=False,
    ),
    _command(
        "train-composer",
        "Train a model of notes on a dataset's labels.",
        add_train_composer_options,
        run_train_composer,
    ),
    _command(
        "evaluate-composer",
        "Score a composer and baselines in bits per frame, and judge its pieces.",
        add_evaluate_composer_options,
        run_evaluate_composer,
    ),
    _command(
        "compose",
        "Compose notes as a MIDI file, with a picture and its provenance.",
        add_compose_options,
        run_compose,
    ),
)

PROGRAM = Program(
    "python -m training",
    "Train recurrent models on mel spectrograms, evaluate them, and generate music.",
    COMMANDS,
)
