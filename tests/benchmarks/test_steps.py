"""Steps of training: how they are timed, compared and judged."""

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.checkout import check_out
from benchmarks.measure import measure_script
from benchmarks.steps import plain, product, products, stopwatch
from benchmarks.steps.comparison import CLAIMED, HEADER, KINDS, SIZES, Steps, table, targets
from benchmarks.steps.costs import layer_table, stage_table
from benchmarks.steps.names import READING
from benchmarks.steps.sizes import DEFAULT, LARGE, Size
from benchmarks.steps.stopwatch import LEAST, SECONDS, WARM_UP, Stopwatch, timed
from training.config import RECURRENT, FrameModelConfig, TrainingConfig
from training.runs import METRICS, TENSORBOARD

TINY = Size((2,), 2)

MEASURED = {
    (kind, size): Steps(ours=30_000, earlier=10_000, plain=20_000, products=60_000, cpu_ms=250)
    for size in SIZES
    for kind in KINDS
}


class Clock:
    """Seconds that pass at each step only."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(time, "perf_counter", lambda: self.now)
        monkeypatch.setattr(time, "process_time", lambda: 2 * self.now)


def test_the_first_steps_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, steps = Clock(monkeypatch), 0

    def step() -> None:
        nonlocal steps
        steps += 1
        clock.now += 100 if steps <= WARM_UP else SECONDS / 4

    assert timed(step) == {"wall_ms": 250 * SECONDS, "cpu_ms": 500 * SECONDS}
    assert steps == WARM_UP + 4


def test_slow_steps_are_done_a_few_times_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, watch, steps = Clock(monkeypatch), Stopwatch(), 0
    while not watch.step_done():
        clock.now += 10 * SECONDS
        steps += 1
    assert steps + 1 == WARM_UP + LEAST


def test_each_target_compares_the_right_contenders() -> None:
    measured = dict(MEASURED)
    for kind in CLAIMED:
        measured[kind, LARGE] = Steps(ours=1_000, earlier=1, plain=1, products=4_000, cpu_ms=1_000)
    compared = {target.text: target.figure for target in targets(measured)}
    large = "of 512 + 512 units, batch of 8, to its products"
    assert compared == {
        f"training a {name}{rest}": figure
        for name in ("GRU", "LSTM")
        for rest, figure in (
            (", to commit 646452d", 3),
            (", to plain Keras with a squared error", 1.5),
            (f" {large}", 0.25),
        )
    }


def test_every_kind_and_size_has_a_row() -> None:
    lines = table(MEASURED).splitlines()
    assert len(lines) == len(HEADER) + len(RECURRENT) * len(SIZES)
    assert tuple(KINDS) == RECURRENT
    assert lines[len(HEADER)].split()[-3:] == ["3.00", "1.50", "0.50"]


def test_the_default_recipe_is_the_products() -> None:
    default = Size(FrameModelConfig().units, TrainingConfig().batch_size)
    assert default == DEFAULT
    assert Size.of(LARGE.words) == LARGE


def test_the_stages_and_the_rest_make_up_a_step() -> None:
    lines = stage_table({READING: 10.0, "computing": 70.0}, 100.0).splitlines()
    assert [line.split()[-2:] for line in lines[1:]] == [
        ["10.0", "10.0%"],
        ["70.0", "70.0%"],
        ["20.0", "20.0%"],
        ["100.0", "100.0%"],
    ]


def test_a_faster_layer_has_a_factor_above_one() -> None:
    found = {f"{whose} {name}": ms for whose, ms in (("our", 50.0), ("Keras's", 100.0))
             for name in ("SimpleRNN", "GRU", "LSTM")}  # fmt: skip
    assert layer_table(found).splitlines()[2].split() == ["GRU", "100", "50", "2.00"]


def test_the_products_are_those_of_all_matrices() -> None:
    kernels = products.kernels_of("gru", Size((4, 5), 2))
    of_trunk = [(257, 12), (4, 12), (4, 15), (5, 15)]
    assert [tuple(each.shape) for each in kernels] == [*of_trunk, (5 * 128, 128), (5, 1152), (5, 4)]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    (folder / "package").mkdir(parents=True)
    (folder / "package/__init__.py").write_text("NAME = 'earlier'\n")
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    for words in (("init", "-q"), ("add", "."), (*identity, "commit", "-qm", "First")):
        subprocess.run(["git", "-C", str(folder), *words], check=True)
    return folder


def test_an_earlier_commit_runs_its_own_code(repository: Path, tmp_path: Path) -> None:
    check_out("HEAD", tmp_path / "tree", repository=repository)
    script = tmp_path / "beside" / "script.py"
    (script.parent / "package").mkdir(parents=True)
    (script.parent / "package/__init__.py").write_text("NAME = 'later'\n")
    script.write_text(
        "import json, sys, package\nprint(json.dumps({package.NAME: sys.argv[1:]}))\n"
    )
    path = {"PYTHONPATH": str(tmp_path / "tree")}
    assert measure_script(script, 1, environment=path).result == {"earlier": ["1"]}


def test_a_history_without_the_commit_is_named(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as caught:
        check_out("646452d", tmp_path / "tree", repository=repository)
    assert "commit 646452d is not in the history" in str(caught.value)
    assert "git fetch --unshallow" in str(caught.value)


STEPS: dict[str, Callable[[Path, Path], dict[str, float]]] = {
    "ours": lambda data, run: product.time_steps(str(data), "rnn", TINY, run),
    "plain": lambda data, run: plain.time_steps("rnn", TINY),
    "products": lambda data, run: products.time_steps("rnn", TINY),
}


@pytest.mark.parametrize("whose", STEPS)
def test_steps_of_each_kind_are_timed(
    whose: str, small_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopwatch, "SECONDS", 0)
    figures = STEPS[whose](small_dataset, tmp_path)
    assert set(figures) == {"wall_ms", "cpu_ms"}
    assert min(figures.values()) > 0


def test_the_product_does_what_train_does_after_a_step(
    small_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopwatch, "SECONDS", 0)
    product.time_steps(str(small_dataset), "rnn", TINY, tmp_path)
    lines = [json.loads(line) for line in (tmp_path / METRICS).read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, WARM_UP + LEAST + 1))
    assert any((tmp_path / TENSORBOARD).iterdir())
