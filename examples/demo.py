"""All steps in a few minutes: recordings -> dataset -> verified -> trained models -> music.

    python examples/demo.py --output demo                     # renders its own recordings
    python examples/demo.py --output demo --input MUSICNET    # uses yours

One model plays the score of a recording, and one makes up music without a score. Each step is a
command, which is printed before it runs. The folder receives audio, pictures and a summary. The
exit status is 1 if a step or a check of the result fails.
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
PLAYER_STEPS = 300
BATCH_SIZE = 4
"""Half the default: after the same number of windows, a model has made twice as many steps."""

UNITS = 192

DROPOUT = 0.3
"""Nine minutes of music are soon known by heart."""

EMA = 0.99
"""Averaged weights make music whose loudness wanders less."""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, required=True, help="the folder to fill")
    parser.add_argument("--input", type=Path, help="recordings in MusicNet's layout")
    options = parser.parse_args()
    started = time.monotonic()
    try:
        results = run_all(options.output, options.input)
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


def run_all(output: Path, recordings: Path | None) -> dict[str, Any]:
    """The result of each command: by its name, and those of each model by the model's."""
    output.mkdir(parents=True, exist_ok=True)
    dataset = output / "dataset"
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
    results["player"] = played(output, dataset)
    results["sampler"] = sampled(output, dataset)
    return results


def played(output: Path, dataset: Path) -> dict[str, Any]:
    """A model that hears notes plays the beginning of a test recording's score."""
    run = output / "player"
    results = {
        "train": train(run, dataset, PLAYER_STEPS, "--hear", "notes", "--head", "independent"),
        "evaluate": step("evaluate", "--run", run, "--data", dataset, "--free-running"),
    }
    score = results["evaluate"]["recordings"][0]["recording_id"]
    results["generate"] = step(
        "generate", "--run", run, "--data", dataset, "--score", score, "--seconds", 10,
        "--output", output / "played.wav", "--overwrite",
    )  # fmt: skip
    return results


def sampled(output: Path, dataset: Path) -> dict[str, Any]:
    """A model that hears nothing but itself makes up ten seconds."""
    run, audio = output / "sampler", output / "sampled.wav"
    return {
        "train": train(run, dataset, STEPS),
        "evaluate": step("evaluate", "--run", run, "--data", dataset, "--free-running"),
        "generate": step(
            "generate", "--run", run, "--seconds", 10, "--seed", 1, "--output", audio,
            "--overwrite",
        ),
        "compare": step("compare", "--run", run, "--data", dataset, "--audio", audio),
    }  # fmt: skip


def train(run: Path, dataset: Path, steps: int, *more: str) -> dict[str, Any]:
    # `train` starts no run in a folder that holds one.
    shutil.rmtree(run, ignore_errors=True)
    return step(
        "train", "--data", dataset, "--run", run, *more,
        "--model", "gru", "--units", UNITS, "--dropout", DROPOUT, "--ema", EMA,
        "--batch-size", BATCH_SIZE, "--steps", steps, "--validation-interval", steps,
        "--memory-mb", 128,
    )  # fmt: skip


def step(*arguments: object) -> dict[str, Any]:
    """Runs one `duet` command, shows it and its progress, and returns the JSON that it prints."""
    words = [str(argument) for argument in arguments]
    print(f"\n$ {shlex.join(['duet', *words])}", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "musicnet_duet", *words, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            output, _ = process.communicate()
        except KeyboardInterrupt:
            process.wait()  # It has got Ctrl-C too.
            raise
    # Where `verify` finds defects, it prints its result and fails.
    if process.returncode and not (output and "verify" in arguments):
        raise subprocess.CalledProcessError(process.returncode, command)
    return json.loads(output)


def check(results: Mapping[str, Any]) -> dict[str, bool]:
    """What the demo promises, and whether it holds; without what too little music cannot show."""
    sampler = results["sampler"]
    bits, failures = sampler["evaluate"]["bits"], sampler["evaluate"]["free_running"]["failures"]
    onsets, copy = heard_onsets(results), sampler["compare"]["copy"]
    checks = {
        "the dataset is sound": not results["verify"]["defects"],
        "played notes begin where the score has them, more often than by chance": None
        if onsets is None
        else onsets["played"] > onsets["chance"],
        "without a score, frames are predicted better than by a marginal histogram": bits["model"]
        < bits["histogram"],
        "without a score, frames are predicted better than by a linear chain": bits["model"]
        < bits["linear_chain"],
        "the measures tell test recordings from sounds that are not music": None
        if failures is None
        else not failures,
        "the music that is made up is no copy of training data": None if copy is None else not copy,
    }
    return {text: held for text, held in checks.items() if held is not None}


def heard_onsets(results: Mapping[str, Any]) -> dict[str, float] | None:
    """The F of onsets that are heard without a transcriber; None if too few windows have notes."""
    playing = results["player"]["evaluate"]["free_running"]["playing"]
    return None if playing is None else next(iter(playing["onsets"].values()))


def summary(output: Path, results: Mapping[str, Any]) -> str:
    """The result for people, as Markdown."""
    made, player, sampler = (results[name] for name in ("preprocess", "player", "sampler"))
    bits, compared = sampler["evaluate"]["bits"], sampler["compare"]
    works, splits = sampler["evaluate"]["works"], made["splits"]
    held_out = sampler["evaluate"]["free_running"]["judgments"]["held-out music"]
    rule = compared["copy_rule"]
    onsets = heard_onsets(results)
    heard = "whether its notes begin where the score's do is unknown: there are too few"
    if onsets is not None:
        heard = (
            f"F of onsets within 50 ms of its score's: {onsets['played']:.2f}, of another score's: "
            f"{onsets['chance']:.2f}, and for recordings: {onsets['recordings']:.2f}"
        )
    copies = "how near copies come is unknown"
    if rule:
        copies = f"copies come to {rule['farthest_copy']:.3f}"
    lines = [
        "# From recordings to music",
        "",
        f"- {made['audio_seconds']:.0f} s of audio became "
        f"{sum(split['windows'] for split in splits.values())} windows, "
        f"{made['bytes'] / 1e6:.0f} MB as {' and '.join(made['formats'])}, "
        f"in {made['wall_seconds']:.1f} s",
        f"- {works['shared']} of {sum(works.values())} test recordings share a work with training "
        "recordings",
        f"- real music: {judged(held_out)}",
        "",
        f"**{output / 'played.wav'}** is the score of test recording "
        f"{player['generate']['score']}, played by {described(player)}",
        "",
        f"- {heard}",
        f"- {judged(player['evaluate']['free_running']['judgments']['model'])}",
        "",
        f"**{output / 'sampled.wav'}** is made up without a score by {described(sampler)}",
        "",
        "- bits per dimension on the test recordings (lower is better): "
        + ", ".join(f"{name} {value:.3f}" for name, value in bits.items()),
        f"- {judged(sampler['evaluate']['free_running']['judgments']['model'])}",
        "- distance to the nearest second of training data (1 - correlation): "
        f"{compared['nearest'][0]:.3f}; {copies}",
        "",
        *(f"- [{'x' if held else ' '}] {text}" for text, held in results["checks"].items()),
        "",
        "Beside each sound is its picture; windows of the dataset are in "
        f"{output / 'windows.png'}. All of it took {results['wall_seconds']:.0f} s.",
        "",
    ]
    return "\n".join(lines)


def described(model: Mapping[str, Any]) -> str:
    trained = model["train"]
    return (
        f"a GRU of {UNITS} units, after {trained['step']} steps at "
        f"{trained['frames_per_second']:,.0f} frames/s"
    )


def judged(judgment: Mapping[str, Any]) -> str:
    if judgment["outside"] is None:
        return "whether windows are like music is unknown: there is too little real music"
    return (
        f"of {judgment['windows']} windows, {judgment['unlike_windows']} are unlike music; outside "
        f"of real music: {', '.join(judgment['outside']) or 'nothing'}"
    )


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("\ninterrupted; the demo begins anew next time", file=sys.stderr)
        sys.exit(130)
