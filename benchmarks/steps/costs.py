"""What a step and a run of the default recipe consist of, and what is claimed of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from benchmarks.measure import Target, measure
from benchmarks.steps.names import ALL, LAYERS, READING, SAMPLING, VALIDATING
from pipelines.text import aligned

RUN_STEPS = 200
"""A fifth of the default, with validations as often."""


def stages(dataset: Path, step_ms: float) -> list[Target]:
    """`step_ms` is the CPU time of a whole step."""
    found = measure("benchmarks.steps.stages", dataset).result
    print("a step of the default recipe")
    print(stage_table(found, step_ms))
    return [Target("reading, of a step", found[READING] / step_ms, 0.02, at_most=True)]


def stage_table(found: Mapping[str, float], step_ms: float) -> str:
    """The share of each stage in a step, and what remains of it."""
    parts = {**found, "the rest": step_ms - sum(found.values()), "a step": step_ms}
    rows = [[name, f"{ms:.1f}", f"{ms / step_ms:.1%}"] for name, ms in parts.items()]
    return aligned([["", "CPU ms", "share"], *rows])


def layers() -> None:
    found = measure("benchmarks.steps.layers").result
    print("recurrent layers of 256 units, forward and backward")
    print(layer_table(found))


def layer_table(found: Mapping[str, float]) -> str:
    rows = []
    for name in LAYERS:
        keras, ours = found[f"Keras's {name}"], found[f"our {name}"]
        rows.append([name, f"{keras:.0f}", f"{ours:.0f}", f"{keras / ours:.2f}"])
    return aligned([["", "Keras's, CPU ms", "ours, CPU ms", "factor"], *rows])


def whole_run(dataset: Path) -> list[Target]:
    found = measure("benchmarks.steps.whole_run", dataset, RUN_STEPS).result
    speed = found.pop(SAMPLING)
    print(f"a run of {RUN_STEPS} steps of the default recipe")
    rows = [[name, f"{each:.1f}", f"{each / found[ALL]:.1%}"] for name, each in found.items()]
    print(aligned([["", "s", "share"], *rows]))
    share = found[VALIDATING] / found[ALL]
    return [
        Target("validation, pictures and checkpoints, of a run", share, 0.05, at_most=True),
        Target("sampling one piece with that model, to real time", speed, 5),
    ]
