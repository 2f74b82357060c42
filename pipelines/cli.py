"""`python -m pipelines COMMAND`. Each command's module is imported when it is called."""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pipelines.concurrency import available_cores
from pipelines.engine import LOCAL_RUNNER
from pipelines.errors import PipelineError
from pipelines.planning.splits import TEST_SPLITS
from schemas import PRESETS, DuetError, FeatureConfig
from schemas.features import FEATURE_NAMES
from schemas.shards import FORMATS, SPLITS

INTERRUPTED = 130
"""The exit status of a process that Ctrl-C stopped, as shells have it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; 0 when it did what was asked, 1 when not, 2 for a wrong command line."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    given, beam_arguments = split_at_dashes(given)
    options = build_parser().parse_args(given)
    if beam_arguments and options.command != "preprocess":
        print("error: options after '--' are Beam's: only preprocess takes any", file=sys.stderr)
        return 2
    options.beam_arguments = tuple(beam_arguments)
    # Beam logs the traceback of every error that it raises; the message alone is what helps.
    logging.basicConfig(level=logging.INFO if options.debug else logging.CRITICAL)
    try:
        return options.run(options)
    except KeyboardInterrupt:
        print(f"\ninterrupted{_what_next(options)}", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has seen enough, such as `head`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except ImportError as error:
        if options.debug:
            raise
        print(
            f"error: {error}; in the project's folder, run: pip install '.[pipelines]'",
            file=sys.stderr,
        )
        return 1
    except (DuetError, OSError) as error:
        if options.debug:
            raise
        print(f"error: {error}", file=sys.stderr)
        return 1


def _what_next(options: argparse.Namespace) -> str:
    """What to do about a command that was interrupted."""
    if options.command != "preprocess":
        return ""
    waited = "" if options.runner == LOCAL_RUNNER else "; cancel the job where it runs"
    resumes = "" if options.overwrite else "; the same command goes on where it stopped"
    return waited + resumes


def split_at_dashes(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """What stands before the first `--`, and after it."""
    if "--" not in arguments:
        return list(arguments), []
    at = list(arguments).index("--")
    return list(arguments[:at]), list(arguments[at + 1 :])


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipelines",
        description="MusicNet recordings -> windows of mel spectrogram, waveform and notes, "
        "in TFRecord and HDF5 shards.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], int], text: str) -> Any:
        added = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        added.set_defaults(run=run)
        added.add_argument("--json", action="store_true", help="print the result as JSON")
        added.add_argument("--debug", action="store_true", help="show the traceback of an error")
        return added

    demo = command(
        "demo-data", _demo_data, "Render scores of the music21 corpus in MusicNet's layout."
    )
    demo.add_argument("out", metavar="OUT", help="the folder to make")

    preprocess = command(
        "preprocess",
        _preprocess,
        "Make a dataset of a folder in MusicNet's layout. Beam's own options follow after '--'.",
    )
    _add_preprocess_options(preprocess)

    rejects = command("rejects", _rejects, "List what a run refused, or try a recording again.")
    rejects.add_argument("output", metavar="OUT", help="a dataset, or the --output of a run")
    rejects.add_argument("--replay", metavar="ID", help="the recording to try again")
    rejects.add_argument("--input", metavar="ROOT", help="where the recording to try again lies")

    verify = command("verify", _verify, "Check every digest, checksum, count and schema.")
    verify.add_argument("dataset", metavar="DATASET")

    inspect = command("inspect", _inspect, "Summarize a dataset, and draw some of its windows.")
    inspect.add_argument("dataset", metavar="DATASET")
    inspect.add_argument("--plot", metavar="FILE.png", help="draw windows into this picture")
    inspect.add_argument("--split", choices=SPLITS, default="train", help="whose windows (train)")
    inspect.add_argument(
        "--windows",
        metavar="PLACES",
        default="0,1",
        help="places within the split, from 0, separated by commas (0,1)",
    )
    return parser


def _add_preprocess_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--input", required=True, metavar="ROOT", help="holds train_data, ...")
    parser.add_argument("--output", required=True, metavar="OUT", help="the dataset to make")
    parser.add_argument("--format", choices=[*FORMATS, "both"], default="tfrecord", help="tfrecord")
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--preset", choices=sorted(PRESETS), default="librosa", help="librosa")
    chosen.add_argument("--config", metavar="FEATURES.json", help="feature settings of your own")
    parser.add_argument(
        "--features",
        metavar="NAMES",
        help=f"which to store, separated by commas ({','.join(FEATURE_NAMES)})",
    )
    parser.add_argument(
        "--shard-mb",
        type=float,
        metavar="MB",
        help="size of a shard, about (64; 8 to 64 where the dataset is less than 2 GB)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the order and the splits (0)")
    cores = available_cores()
    parser.add_argument(
        "--workers",
        type=int,
        default=cores,
        metavar="N",
        help=f"workers on this machine, each a process if several (one a core: {cores})",
    )
    parser.add_argument(
        "--max-rejects",
        type=float,
        metavar="SHARE",
        help="of the recordings that may be refused (0.01, or 3 recordings if that is more)",
    )
    parser.add_argument(
        "--tail",
        choices=["pad", "drop"],
        help="what becomes of a recording's last, incomplete window (pad)",
    )
    assigned = parser.add_mutually_exclusive_group()
    assigned.add_argument(
        "--test-split",
        choices=TEST_SPLITS,
        default=TEST_SPLITS[0],
        help="MusicNet's test recordings alone, or with all others of their works (musicnet)",
    )
    assigned.add_argument(
        "--splits", metavar="FILE.csv", help="the split of each recording: columns id and split"
    )
    parser.add_argument("--runner", default=LOCAL_RUNNER, help=f"Beam runner ({LOCAL_RUNNER})")
    parser.add_argument("--dry-run", action="store_true", help="say what would be made, and stop")
    parser.add_argument(
        "--overwrite", action="store_true", help="replace what stands in OUT, beginning anew"
    )


def _demo_data(options: argparse.Namespace) -> int:
    from pipelines.demo.data import write_demo_data

    summary = dataclasses.asdict(write_demo_data(options.out))
    lines = [f"{name}: {value}" for name, value in summary.items()]
    return _show(options, summary, "\n".join(lines))


def _preprocess(options: argparse.Namespace) -> int:
    from pipelines.planning.plan import PlanOptions
    from pipelines.planning.splits import read_splits
    from pipelines.preprocessing import PreprocessOptions, dry_run, preprocess
    from pipelines.summary import effort_lines, reason_lines, splits_table

    plan = PlanOptions(
        features=_feature_config(options),
        seed=options.seed,
        shard_megabytes=options.shard_mb,
        max_rejects=options.max_rejects,
        test_split=options.test_split,
        splits=None if options.splits is None else read_splits(options.splits),
    )
    asked = PreprocessOptions(
        input_root=options.input,
        output=options.output,
        plan=plan,
        formats=FORMATS if options.format == "both" else (options.format,),
        workers=options.workers,
        overwrite=options.overwrite,
        runner=options.runner,
        beam_arguments=options.beam_arguments,
    )
    result = dry_run(asked) if options.dry_run else preprocess(asked)
    if "splits" not in result:
        return _show(options, result, f"the job file is written; it makes {result['output']}")
    lines = [splits_table(result["splits"])]
    megabytes = result["bytes"] / 1e6
    lines.append(f"{megabytes:,.1f} MB as {' and '.join(result['formats'])} in {result['output']}")
    lines += reason_lines(result["rejects"])
    if not options.dry_run:
        rate = result["audio_seconds"] / result["wall_seconds"]
        lines.append(
            f"{result['audio_seconds']:,.0f} s of audio in {result['wall_seconds']:.1f} s, "
            f"{rate:,.0f} times real time; {result['shards_reused']} shards were ready"
        )
        lines += effort_lines(result["metrics"])
    return _show(options, result, "\n".join(lines))


def _feature_config(options: argparse.Namespace) -> FeatureConfig:
    config = PRESETS[options.preset]
    if options.config is not None:
        path = Path(options.config)
        config = FeatureConfig.from_json(path.read_bytes(), where=str(path))
    if options.features is not None:
        names = tuple(name.strip() for name in options.features.split(","))
        config = dataclasses.replace(config, features=names)
    if options.tail:
        config = dataclasses.replace(config, tail=options.tail)
    return config


def _rejects(options: argparse.Namespace) -> int:
    from pipelines.writing.replay import read_refusals, refusals_text, replay, replay_text

    found = read_refusals(options.output)
    if options.replay is None:
        rows = [row for refusals in found for row in refusals.rejects.to_pylist()]
        text = "\n".join(refusals_text(refusals, options.output) for refusals in found)
        return _show(options, {"rejects": rows}, text)
    input_root = options.input or found[-1].input_root
    if input_root is None:
        raise PipelineError(
            "--replay needs --input ROOT: a dataset does not say what it was made of"
        )
    result = replay(options.replay, input_root, found[-1].features)
    _show(options, result, replay_text(result))
    return 1 if result["rejects"] else 0


def _verify(options: argparse.Namespace) -> int:
    from pipelines.verification.verify import verify

    result = verify(options.dataset)
    lines = [*map(str, result.defects), result.summary()]
    _show(options, dataclasses.asdict(result), "\n".join(lines))
    return 1 if result.defects else 0


def _inspect(options: argparse.Namespace) -> int:
    from pipelines.summary import summarize, summary_text
    from schemas import Dataset

    dataset = Dataset(options.dataset)
    result = summarize(dataset)
    text = summary_text(result)
    if options.plot:
        from pipelines.plots import draw_windows, parse_places

        places = parse_places(options.windows)
        draw_windows(dataset, split=options.split, places=places, path=options.plot)
        result["plot"] = options.plot
        text += f"\npicture: {options.plot}"
    return _show(options, result, text)


def _show(options: argparse.Namespace, result: dict[str, Any], text: str) -> int:
    print(json.dumps(result, indent=1) if options.json else text, flush=True)
    return 0
