"""The command that trains a model: its options, its settings, and what it prints."""

from __future__ import annotations

import argparse
import shlex

from musicnet_duet.arguments import (
    UsageError,
    count,
    natural,
    number_between,
    one_of,
    path,
    positive,
    seed_31_bits,
)
from musicnet_duet.command import CommandParser, Outcome
from musicnet_duet.process import INTERRUPTED
from training.config import HEADS, RECURRENT, FrameModelConfig, ModelFunction, is_function_name
from training.horizon import HEARD, HORIZONS
from training.settings import FUNCTION, SECTIONS, Given, Settings, names_of
from training.shared_options import MEGABYTE, add_data, add_run, damage_lines

_DEFAULT = Settings()
_MODEL, _TRAINING, _LOOP = FrameModelConfig(), _DEFAULT.training, _DEFAULT.loop


def add_train_options(parser: CommandParser) -> None:
    add_data(parser)
    add_run(parser, "--run-dir", text="the folder of the run; --run-dir is the old name")
    parser.add_argument(
        "--resume", action="store_true", help="continue the run in RUN with its settings"
    )
    parser.add_path(
        "--config",
        type=path,
        metavar="FILE",
        help="settings from a YAML or JSON file, such as the run.json of another run; options of "
        "the command line come before them",
    )
    # No defaults here: a resumed run keeps its settings, and a file's come before the defaults.
    parser.add_argument(
        "--steps",
        type=count,
        help="the step to stop at, counted from the start of the run even if it is resumed "
        f"(default: {_LOOP.steps})",
    )
    parser.add_argument(
        "--validation-interval",
        type=count,
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
        "--deterministic",
        action="store_const",
        const=True,
        help="on a GPU, compute the same bits each time, which takes longer",
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
        type=_model,
        metavar="MODEL",
        help=f"the kind of layers, one of {', '.join(RECURRENT)} (default: {_MODEL.recurrent}), or "
        "module:function, which makes a Keras model of your own",
    )
    parser.add_argument(
        "--units",
        type=count,
        nargs="+",
        help=f"the units of each layer (default: {' '.join(map(str, _MODEL.units))})",
    )
    parser.add_argument(
        "--hear",
        dest="hears",
        type=one_of(HEARD),
        nargs="+",
        choices=HEARD,
        help="what the model hears: the spectrogram (frequency), the waveform (time), the score "
        f"(notes), or several of them (default: {' '.join(_MODEL.hears)})",
    )
    parser.add_argument(
        "--horizon",
        type=one_of(HORIZONS),
        choices=HORIZONS,
        help="how far it hears: as far as the frame before, or no sample of the frame itself "
        f"(default: {_MODEL.horizon})",
    )
    parser.add_argument(
        "--head",
        type=one_of(HEADS),
        choices=HEADS,
        help="whether the mel bins of a frame depend on those below them; independent ones play "
        f"scores better (default: {_MODEL.head})",
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


def _model(text: str) -> str:
    """A kind of layers, or `module:function`."""
    if ":" not in text:
        return one_of(RECURRENT)(text)
    if not is_function_name(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not module:function, such as my_models:build, with dots for folders"
        )
    return text


def check_train(options: argparse.Namespace) -> None:
    """Raises `UsageError` where settings of layers are given for a model of the user's own."""
    given = _given(options)["model"]
    layers = [name for name in given if name != FUNCTION]
    if FUNCTION in given and layers:
        raise UsageError(
            f"--{layers[0].replace('_', '-')}: {given[FUNCTION]} makes its own layers; leave it out"
        )


def settings_of(options: argparse.Namespace) -> Settings:
    """What the options, then the file of `--config`, then a resumed run, then the defaults say.

    Raises `TrainingError` for a file that cannot be read, and for impossible values.
    """
    from training.runs import is_run, read_run

    settings = Settings()
    if options.resume and is_run(options.run_dir):
        run = read_run(options.run_dir)
        settings = Settings(run.model_setting, run.training, run.loop)
    if options.config is not None:
        from training.settings_file import read_settings

        settings = settings.changed(read_settings(options.config))
    return settings.changed(_given(options))


def _given(options: argparse.Namespace) -> Given:
    """The settings that were given on the command line."""
    values = dict(vars(options))
    if options.model is not None:
        values[FUNCTION if ":" in options.model else "recurrent"] = options.model
    if options.memory_mb is not None:
        values["memory_bytes"] = options.memory_mb * MEGABYTE
    return {
        section: {name: values[name] for name in names_of(section) if values.get(name) is not None}
        for section in SECTIONS
    }


def run_train(options: argparse.Namespace) -> Outcome:
    import keras

    from training.train import train

    settings = settings_of(options)
    if isinstance(settings.model, ModelFunction):
        keras.utils.set_random_seed(settings.training.seed)
    result = train(
        options.data,
        options.run_dir,
        settings.model,
        settings.training,
        settings.loop,
        resume=options.resume,
    )
    if not result.new_steps and result.stopped_early:
        text = f"{result.run_dir}: stopped early at step {result.step}; raise --patience to go on"
        return Outcome(result, text)
    if not result.new_steps and not result.interrupted:
        text = f"{result.run_dir}: all {result.step} steps are done; raise --steps to go on"
        return Outcome(result, text)
    lines = [f"{result.run_dir}: {result.step} steps"]
    if result.frames_per_second is not None:
        lines[0] += f", {result.frames_per_second:.0f} frames/s"
    if result.best_step is not None:
        best = (
            f"{result.best_validation_bits:.3f} bits/dim"
            if result.best_validation_loss is None
            else f"loss {result.best_validation_loss:.4g}"
        )
        lines.append(f"best on validation: {best} at step {result.best_step}")
    if result.stopped_early:
        lines.append("stopped early: validations no longer improved")
    lines += damage_lines(result.damaged_count, result.damaged_windows)
    if not result.interrupted:
        return Outcome(result, "\n".join(lines))
    resume = ["--data", options.data, "--run", options.run_dir, "--steps", str(settings.loop.steps)]
    note = (
        f"stopped at step {result.step}, all is saved; go on with: duet train "
        f"{shlex.join(resume)} --resume"
    )
    return Outcome(result, "\n".join(lines), status=INTERRUPTED, note=note)
