"""Training steps of several kinds side by side: frames per second, and what is claimed of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.checkout import check_out
from benchmarks.measure import Target, measure, measure_script
from benchmarks.steps.sizes import DEFAULT, DEMO, LARGE, Size
from pipelines.text import aligned

COMMIT = "646452d4dec90ea116a0d2dd1277bd029ec8d7ac"
"""Before training became `model.fit`, and layers and likelihood were written for speed."""

KINDS = {"rnn": "SimpleRNN", "gru": "GRU", "lstm": "LSTM"}
SIZES = (DEFAULT, DEMO, LARGE)
CLAIMED = ("gru", "lstm")

HEADER = [
    ["", "ours", "CPU ms", "646452d", "plain", "products", "ours /", "ours /", "ours /"],
    ["", "frames/s", "a step", "frames/s", "frames/s", "frames/s", "646452d", "plain", "products"],
]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Steps:
    """Frames per second of one model's step, and the CPU time of ours."""

    ours: float
    earlier: float
    plain: float
    products: float
    cpu_ms: float


Compared = Mapping[tuple[str, Size], Steps]


def compare(dataset: Path, folder: Path) -> dict[tuple[str, Size], Steps]:
    """All kinds of layers at all sizes; each contender runs alone, in a process of its own."""
    tree = folder / "earlier"
    check_out(COMMIT, tree)
    return {(kind, size): _steps(dataset, tree, kind, size) for size in SIZES for kind in KINDS}


def _steps(dataset: Path, tree: Path, kind: str, size: Size) -> Steps:
    words = [kind, *size.words]
    script = Path(__file__).with_name("earlier.py")
    path = {"PYTHONPATH": str(tree)}
    ours = measure("benchmarks.steps.product", dataset, *words).result
    earlier = measure_script(script, dataset, *words, environment=path).result
    plain = measure("benchmarks.steps.plain", *words).result
    products = measure("benchmarks.steps.products", *words).result
    rates = [1000 * size.frames / each["wall_ms"] for each in (ours, earlier, plain, products)]
    return Steps(
        ours=rates[0],
        earlier=rates[1],
        plain=rates[2],
        products=rates[3],
        cpu_ms=ours["cpu_ms"],
    )


def table(compared: Compared) -> str:
    return aligned([*HEADER, *_rows(compared)])


def _rows(compared: Compared) -> Iterator[list[str]]:
    for (kind, size), steps in compared.items():
        rates = (steps.earlier, steps.plain, steps.products)
        yield [
            f"{KINDS[kind]}, {size}",
            f"{steps.ours:,.0f}",
            f"{steps.cpu_ms:,.0f}",
            *(f"{rate:,.0f}" for rate in rates),
            *(f"{steps.ours / rate:.2f}" for rate in rates),
        ]


def targets(compared: Compared) -> list[Target]:
    wanted = []
    for kind in CLAIMED:
        usual, large = compared[kind, DEFAULT], compared[kind, LARGE]
        name = f"training a {KINDS[kind]}"
        wanted += [
            Target(f"{name}, to commit 646452d", usual.ours / usual.earlier, 2.5),
            Target(f"{name}, to plain Keras with a squared error", usual.ours / usual.plain, 1),
            Target(f"{name} of {LARGE}, to its products", large.ours / large.products, 0.4),
        ]
    return wanted
