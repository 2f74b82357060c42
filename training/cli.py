"""The commands that train, score and use models. What they need is imported when they run."""

from __future__ import annotations

import argparse
import dataclasses
import os
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from musicnet_duet.ambient import import_matplotlib
from musicnet_duet.arguments import (
    UsageError,
    count,
    local_path,
    natural,
    number_between,
    one_of,
    path,
    path_ending_in,
    positive,
    seed_31_bits,
)
from musicnet_duet.command import INTERRUPTED, Command, CommandParser, Outcome, Program
from schemas.names import SPLITS
from training.config import HEADS, RECURRENT, FrameModelConfig, LoopConfig, TrainingConfig
from training.errors import TrainingError

_LOOP = LoopConfig()
_MODEL = FrameModelConfig()
_TRAINING = TrainingConfig()

_MEGABYTE = 1_000_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns the exit status; see `Program.main`."""
    return PROGRAM.main(arguments)


def _add_run(parser: CommandParser, *aliases: str, text: str = "the folder of the run") -> None:
    parser.add_path(
        "--run", *aliases, dest="run_dir", type=local_path, required=True, metavar="RUN", help=text
    )


def _add_data(parser: CommandParser) -> None:
    parser.add_path("--data", type=path, required=True, metavar="DATASET", help="the dataset")


def _add_checkpoint(parser: CommandParser) -> None:
    parser.add_argument(
        "--checkpoint",
        type=_checkpoint,
        default="best",
        metavar="WHICH",
        help="best on the validation split, last, or the number of a step (default: best)",
    )


def _checkpoint(text: str) -> str | int:
    """`best`, `last`, or the number of a step."""
    if text in ("best", "last"):
        return text
    try:
        return count(text)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither best nor last nor a step") from None


def _add_train_options(parser: CommandParser) -> None:
    _add_data(parser)
    _add_run(parser, "--run-dir", text="the folder of the run; --run-dir is the old name")
    parser.add_argument("--resume", action="store_true", help="continue the run in RUN")
    parser.add_argument(
        "--steps",
        type=count,
        default=_LOOP.steps,
        help="the step to stop at, counted from the start of the run even if it is resumed "
        f"(default: {_LOOP.steps})",
    )
    parser.add_argument(
        "--validation-interval",
        type=count,
        default=_LOOP.validation_interval,
        metavar="STEPS",
        help="the steps between validations; each writes a checkpoint "
        f"(default: {_LOOP.validation_interval})",
    )
    parser.add_argument(
        "--patience",
        type=count,
        metavar="VALIDATIONS",
        help="stop early once this many validations in a row were no better than an earlier one "
        "(default: never)",
    )
    # What follows belongs to the run: no defaults here, so that a resumed run keeps its own.
    _add_model_options(parser)
    parser.add_argument(
        "--batch-size",
        type=count,
        help=f"the windows in a batch (default: {_TRAINING.batch_size})",
    )
    parser.add_argument(
        "--learning-rate",
        type=positive,
        help=f"the highest learning rate of Adam (default: {_TRAINING.learning_rate})",
    )
    parser.add_argument(
        "--warmup-steps",
        type=natural,
        metavar="STEPS",
        help="the steps in which the learning rate rises to its highest "
        f"(default: {_TRAINING.warmup_steps})",
    )
    parser.add_argument(
        "--decay-steps",
        type=count,
        metavar="STEPS",
        help="the step until which the learning rate falls along a cosine "
        "(default: the --steps of the new run)",
    )
    parser.add_argument(
        "--gain-db",
        type=number_between(0, 60),
        metavar="DB",
        help="make windows louder or softer by up to this much in training "
        f"(default: {_TRAINING.gain_db:g})",
    )
    parser.add_argument(
        "--ema",
        type=number_between(0, 0.99999),
        metavar="MOMENTUM",
        help="score and use a moving average of the weights with this momentum, such as 0.99 "
        f"(default: {_TRAINING.ema:g}, for none)",
    )
    parser.add_argument(
        "--seed",
        type=seed_31_bits,
        help="the seed for weights, the order of windows and all random draws "
        f"(default: {_TRAINING.seed})",
    )


def _add_model_options(parser: CommandParser) -> None:
    parser.add_argument(
        "--model",
        dest="recurrent",
        type=one_of(RECURRENT),
        choices=RECURRENT,
        help=f"the kind of layers (default: {_MODEL.recurrent})",
    )
    parser.add_argument(
        "--units",
        type=count,
        nargs="+",
        help=f"the units of each layer (default: {' '.join(map(str, _MODEL.units))})",
    )
    parser.add_argument(
        "--head",
        type=one_of(HEADS),
        choices=HEADS,
        help=f"whether the mel bins of a frame depend on those below them (default: {_MODEL.head})",
    )
    parser.add_argument(
        "--components",
        type=count,
        help=f"the logistics mixed for each mel bin (default: {_MODEL.components})",
    )
    parser.add_argument(
        "--noise",
        type=number_between(0, 10),
        metavar="SD",
        help="the most noise added to the model's inputs in training, in standard deviations of a "
        f"mel bin, so that it recovers from its own errors (default: {_MODEL.noise:g}; 0 for none)",
    )
    parser.add_argument(
        "--dropout",
        type=number_between(0, 0.95),
        metavar="SHARE",
        help=f"the share of each layer's outputs set to 0 in training (default: "
        f"{_MODEL.dropout:g})",
    )
    parser.add_argument(
        "--mixed-precision",
        action="store_const",
        const=True,
        help="compute the layers in bfloat16, which is faster on recent GPUs",
    )


def _add_evaluate_options(parser: CommandParser) -> None:
    _add_run(parser)
    _add_data(parser)
    parser.add_argument(
        "--split",
        type=one_of(SPLITS),
        choices=SPLITS,
        default="test",
        help="the split to score (default: test)",
    )
    _add_checkpoint(parser)
    parser.add_argument(
        "--free-running",
        action="store_true",
        help="also sample the model, and compare its samples with real music and with sounds that "
        "are not music",
    )


def _add_generate_options(parser: CommandParser) -> None:
    _add_run(parser)
    _add_checkpoint(parser)
    parser.add_path(
        "--output",
        type=path_ending_in(".wav"),
        required=True,
        metavar="X.wav",
        help="the audio file to write; X.png and X.json are written beside it",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace the three files if they exist"
    )
    parser.add_argument(
        "--seconds",
        type=number_between(0, 86_400, above=True),
        default=10.0,
        help="the length of the audio, at most a day (default: 10)",
    )
    parser.add_argument(
        "--seed", type=natural, default=0, help="the seed for everything random (default: 0)"
    )
    parser.add_argument(
        "--temperature",
        type=number_between(0, 10, above=True),
        default=1.0,
        help="the sampling temperature; below 1, levels stay closer to the likeliest (default: 1)",
    )
    parser.add_path(
        "--data", type=path, metavar="DATASET", help="the dataset with the recording of --prime"
    )
    parser.add_argument(
        "--prime",
        metavar="ID",
        help="the recording whose first window the model continues",
    )


def _check_generate(options: argparse.Namespace) -> None:
    if (options.prime is None) != (options.data is None):
        raise UsageError("--prime and --data belong together: give both or neither")


def _add_compare_options(parser: CommandParser) -> None:
    _add_run(parser)
    _add_data(parser)
    parser.add_path(
        "--audio", type=path, required=True, metavar="X.wav", help="the recording to compare"
    )


def _train(options: argparse.Namespace) -> Outcome:
    from training.runs import is_run, read_run
    from training.train import train

    model, training = _MODEL, _TRAINING
    if options.resume and is_run(options.run_dir):
        run = read_run(options.run_dir)
        model, training = run.model, run.training
    loop = LoopConfig(
        steps=options.steps,
        validation_interval=options.validation_interval,
        memory_bytes=options.memory_mb * _MEGABYTE,
        patience=options.patience,
    )
    model, training = _changed(model, options), _changed(training, options)
    result = train(options.data, options.run_dir, model, training, loop, resume=options.resume)
    if not result.new_steps and result.stopped_early:
        text = f"{result.run_dir}: stopped early at step {result.step}; raise --patience to go on"
        return Outcome(result, text)
    if not result.new_steps and not result.interrupted:
        text = f"{result.run_dir}: all {result.step} steps are done; raise --steps to go on"
        return Outcome(result, text)
    lines = [f"{result.run_dir}: {result.step} steps, {result.frames_per_second:.0f} frames/s"]
    if result.best_step is not None:
        lines.append(
            f"best on validation: {result.best_validation_bits:.3f} bits/dim "
            f"at step {result.best_step}"
        )
    if result.stopped_early:
        lines.append("stopped early: validations no longer improved")
    lines += _damage_lines(result.damaged_count, result.damaged_windows)
    if not result.interrupted:
        return Outcome(result, "\n".join(lines))
    resume = ["--data", options.data, "--run", options.run_dir, "--steps", str(options.steps)]
    note = (
        f"stopped at step {result.step}, all is saved; go on with: duet train "
        f"{shlex.join(resume)} --resume"
    )
    return Outcome(result, "\n".join(lines), status=INTERRUPTED, note=note)


def _generate(options: argparse.Namespace) -> Outcome:
    from training.generate import GenerationOptions, generate

    request = GenerationOptions(
        seconds=options.seconds,
        output=Path(options.output),
        seed=options.seed,
        temperature=options.temperature,
        data=options.data,
        prime=options.prime,
        checkpoint=options.checkpoint,
        overwrite=options.overwrite,
        memory_bytes=options.memory_mb * _MEGABYTE,
    )
    provenance = generate(options.run_dir, request)
    text = (
        f"{options.output}: {request.seconds:g} s from step {provenance.step}, "
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
        "memory_bytes": options.memory_mb * _MEGABYTE,
    }
    sampled = free_running(*arguments, **further) if options.free_running else None
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
    lines.append(result.works.sentence())
    if sampled is not None:
        lines += ["", *free_running_lines(sampled)]
    return Outcome(
        result, "\n".join([*lines, *_damage_lines(result.damaged_count, result.damaged_windows)])
    )


def _compare(options: argparse.Namespace) -> Outcome:
    from training.compare import compare
    from training.reports import comparison_lines

    result = compare(
        options.run_dir,
        options.data,
        options.audio,
        memory_bytes=options.memory_mb * _MEGABYTE,
    )
    lines = [
        *comparison_lines(result),
        *_damage_lines(result.damaged_count, result.damaged_windows),
    ]
    return Outcome(result, "\n".join(lines))


def _import_tensorflow_quietly() -> None:
    """Imports it and looks for devices, hiding what its C++ code prints about them."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    shown = os.dup(2)
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        import tensorflow as tf

        tf.config.list_logical_devices()
    finally:
        os.dup2(shown, 2)
        os.close(shown)
        os.close(nothing)


def _changed(config: Any, options: argparse.Namespace) -> Any:
    """The configuration with those of its fields that were given on the command line."""
    names = [field.name for field in dataclasses.fields(config)]
    given = {name: getattr(options, name, None) for name in names}
    return dataclasses.replace(
        config, **{name: value for name, value in given.items() if value is not None}
    )


def _damage_lines(count: int, damaged: Sequence[str]) -> list[str]:
    if not count:
        return []
    return [f"{count:,} damaged windows were left out, the first: {damaged[0]}"]


def _command(
    name: str,
    text: str,
    add_options: Callable[[CommandParser], None],
    run: Callable[[argparse.Namespace], Outcome],
    **more: Any,
) -> Command:
    def add_all_options(parser: CommandParser) -> None:
        add_options(parser)
        megabytes = _LOOP.memory_bytes // _MEGABYTE
        parser.add_argument(
            "--memory-mb",
            type=count,
            default=megabytes,
            metavar="MB",
            help="the memory budget for reading the dataset, in megabytes of 1,000,000 bytes "
            f"(default: {megabytes})",
        )

    def run_prepared(options: argparse.Namespace) -> Outcome:
        # Whatever other projects left in the environment or in ~/.keras.
        os.environ["KERAS_BACKEND"] = "tensorflow"
        import_matplotlib()  # Keras imports it as well, which MPLBACKEND can make fail.
        if not options.debug:
            _import_tensorflow_quietly()
        import tensorflow as tf

        from training.process import make_deterministic

        make_deterministic()
        try:
            return run(options)
        except tf.errors.ResourceExhaustedError as error:
            raise TrainingError(
                "TensorFlow ran out of memory or disk space; make room, or choose fewer --units, "
                f"a smaller --batch-size or fewer --seconds ({' '.join(str(error).split())[:200]})"
            ) from error

    return Command(
        name=name,
        text=text,
        extra="training",
        add_options=add_all_options,
        run=run_prepared,
        **more,
    )


COMMANDS = (
    _command("train", "Train a model on a dataset, or resume a run.", _add_train_options, _train),
    _command(
        "evaluate",
        "Score a model and baselines in bits per dimension, and judge its samples.",
        _add_evaluate_options,
        _evaluate,
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
)

PROGRAM = Program(
    "python -m training",
    "Train recurrent models on mel spectrograms, evaluate them, and generate music.",
    COMMANDS,
)
