"""All steps in a few minutes: recordings -> dataset -> verified -> trained model -> music.

    python examples/demo.py --output demo                     # renders its own recordings
    python examples/demo.py --output demo --input MUSICNET    # uses yours

Each step is a command, which is printed before it runs. The folder receives audio, pictures and a
summary. The exit status is 1 if a step or a check of the result fails.
"""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

STEPS = 500
BATCH_SIZE = 4
"""Half the default: after the same number of windows, the model has made twice as many steps."""

UNITS = 192

DROPOUT = 0.3
"""Nine minutes of music are soon known by heart."""

EMA = 0.99
"""Averaged weights make music whose loudness wanders less."""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, required=True, help="the folder to fill")
    parser.add_argument("--input", type=Path, help="recordings in MusicNet's layout")
    parser.add_argument("--steps", type=int, default=STEPS, help=f"of training ({STEPS})")
    options = parser.parse_args()
    started = time.monotonic()
    try:
        results = run_all(options.output, options.input, options.steps)
    except subprocess.CalledProcessError as error:
        print(f"error: the step above failed with exit status {error.returncode}", file=sys.stderr)
        return 1
    results["checks"] = checks = check(results)
    results["wall_seconds"] = round(time.monotonic() - started, 1)
    (options.output / "summary.json").write_text(json.dumps(results, indent=1) + "\n")
    text = summary(options.output, results)
    (options.output / "summary.md").write_text(text)
    print(f"\n{text}")
    return 0 if all(checks.values()) else 1


def run_all(output: Path, recordings: Path | None, steps: int) -> dict[str, Any]:
    """The result of each command, by the command's name."""
    output.mkdir(parents=True, exist_ok=True)
    dataset, run, audio = output / "dataset", output / "run", output / "generated.wav"
    results: dict[str, Any] = {}
    if recordings is None:
        recordings = output / "recordings"
        if not (recordings / "musicnet_metadata.csv").exists():
            results["demo-data"] = step("demo-data", recordings)
    results["preprocess"] = step(
        "preprocess", "--input", recordings, "--output", dataset,
        "--format", "both", "--overwrite",
    )  # fmt: skip
    results["verify"] = step("verify", dataset)
    results["inspect"] = step("inspect", dataset, "--plot", output / "windows.png", "--overwrite")
    # `train` starts no run in a folder that holds one.
    shutil.rmtree(run, ignore_errors=True)
    results["train"] = step(
        "train", "--data", dataset, "--run", run,
        "--model", "gru", "--units", UNITS, "--dropout", DROPOUT, "--ema", EMA,
        "--batch-size", BATCH_SIZE, "--steps", steps, "--validation-interval", steps,
        "--memory-mb", 64,
    )  # fmt: skip
    results["evaluate"] = step("evaluate", "--run", run, "--data", dataset, "--free-running")
    results["generate"] = step(
        "generate", "--run", run, "--seconds", 10, "--seed", 1, "--output", audio,
        "--overwrite",
    )  # fmt: skip
    results["compare"] = step("compare", "--run", run, "--data", dataset, "--audio", audio)
    return results


def step(*arguments: object) -> dict[str, Any]:
    """Runs one `duet` command, shows it and its progress, and returns the JSON that it prints."""
    words = [str(argument) for argument in arguments]
    print(f"\n$ {shlex.join(['duet', *words])}", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "musicnet_duet", *words, "--json"]
    run = subprocess.run(command, stdout=subprocess.PIPE)
    # Where `verify` finds defects, it prints its result and fails.
    if run.returncode and not (run.stdout and "verify" in arguments):
        raise subprocess.CalledProcessError(run.returncode, command)
    return json.loads(run.stdout)


def check(results: Mapping[str, Any]) -> dict[str, bool]:
    """What the demo promises, and whether it holds; without what too little music cannot show."""
    bits, sampled = results["evaluate"]["bits"], results["evaluate"]["free_running"]
    failures, copy = sampled["failures"], results["compare"]["copy"]
    checks = {
        "the dataset is sound": not results["verify"]["defects"],
        "the model predicts test frames better than a marginal histogram": bits["model"]
        < bits["histogram"],
        "the model predicts test frames better than a linear chain": bits["model"]
        < bits["linear_chain"],
        "the measures tell test recordings from sounds that are not music": None
        if failures is None
        else not failures,
        "the music is no copy of training data": None if copy is None else not copy,
    }
    return {text: held for text, held in checks.items() if held is not None}


def summary(output: Path, results: Mapping[str, Any]) -> str:
    """The result for people, as Markdown."""
    made, trained = results["preprocess"], results["train"]
    bits, compared = results["evaluate"]["bits"], results["compare"]
    works, splits = results["evaluate"]["works"], made["splits"]
    judgments = results["evaluate"]["free_running"]["judgments"]
    sampled, held_out = judgments["model"], judgments["held-out music"]
    rule = compared["copy_rule"]
    copies = "how near copies come is unknown"
    if rule:
        copies = f"copies come to {rule['farthest_copy']:.3f}"
    judged = ["- whether samples are like music is unknown: there is too little real music"]
    if sampled["outside"] is not None:
        judged = [
            f"- of {sampled['windows']} sampled windows, {sampled['unlike_windows']} are unlike "
            f"music; outside of real music: {', '.join(sampled['outside']) or 'nothing'}",
            f"- of {held_out['windows']} test windows, {held_out['unlike_windows']} are unlike "
            "music",
        ]
    lines = [
        "# From recordings to music",
        "",
        f"- {made['audio_seconds']:.0f} s of audio became "
        f"{sum(split['windows'] for split in splits.values())} windows, "
        f"{made['bytes'] / 1e6:.0f} MB as {' and '.join(made['formats'])}, "
        f"in {made['wall_seconds']:.1f} s",
        f"- a GRU of {UNITS} units was trained for {trained['step']} steps "
        f"at {trained['frames_per_second']:,.0f} frames/s",
        "- bits per dimension on the test recordings (lower is better): "
        + ", ".join(f"{name} {value:.3f}" for name, value in bits.items()),
        f"- {works['shared']} of {sum(works.values())} test recordings share a work with training "
        "recordings",
        *judged,
        "- distance to the nearest second of training data (1 - correlation): "
        f"{compared['nearest'][0]:.3f}; {copies}",
        "",
        *(f"- [{'x' if held else ' '}] {text}" for text, held in results["checks"].items()),
        "",
        f"Listen to {output / 'generated.wav'}, look at {output / 'generated.png'} and "
        f"{output / 'windows.png'}. All of it took {results['wall_seconds']:.0f} s.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
