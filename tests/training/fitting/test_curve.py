from __future__ import annotations

import io
from pathlib import Path

import matplotlib.image
import numpy as np
from numpy.typing import NDArray

from training.config import FrameModelConfig, LoopConfig, TrainingConfig
from training.fitting.curve import Curve, draw_curve
from training.fitting.metrics import MetricsFile
from training.runs import CURVE, METRICS
from training.train import train

RED = (0xD1, 0x49, 0x5B)
"""The color of the marker of the best checkpoint."""


def picture_of(curve: Curve, best_step: int | None) -> NDArray[np.uint8]:
    drawn = draw_curve(curve, label="bits per dimension", best_step=best_step, title="run: gru 8")
    return pixels(drawn)


def pixels(png: bytes) -> NDArray[np.uint8]:
    return (matplotlib.image.imread(io.BytesIO(png))[..., :3] * 255).round().astype(np.uint8)


def column_of(image: NDArray[np.uint8], color: tuple[int, int, int], upper: int) -> float:
    """The mean column of a color below the legend, of what is drawn below row `upper`."""
    rows, columns = np.nonzero((image == color).all(axis=-1))
    return float(columns[rows > upper].mean())


def test_a_curve_is_what_the_file_of_metrics_holds(tmp_path: Path) -> None:
    metrics = MetricsFile(tmp_path / METRICS, done=0)
    metrics.write(1, {"bits": 5.0, "frames": 7.0, "learning_rate": 0.1})
    metrics.write(2, {"bits": 4.0, "frames": 7.0, "learning_rate": 0.2})
    metrics.write(2, {"validation_bits": 4.5})
    lines = (tmp_path / METRICS).read_bytes().splitlines()
    assert Curve.of(lines, "bits") == Curve(((1, 5.0), (2, 4.0)), ((2, 4.5),), ((1, 0.1), (2, 0.2)))
    assert Curve.of([], "bits") == Curve((), (), ())


def test_the_best_checkpoint_is_marked_where_it_is() -> None:
    steps = range(1, 101)
    curve = Curve(
        tuple((step, 9 - step / 20) for step in steps),
        tuple((step, 9 - step / 20) for step in steps if step % 10 == 0),
        tuple((step, 1 / step) for step in steps),
    )
    images = {best: picture_of(curve, best) for best in (50, 80)}
    found = {best: column_of(image, RED, 170) for best, image in images.items()}
    width = images[50].shape[1]
    assert 0.2 * width < found[80] - found[50] < 0.35 * width
    plain = picture_of(curve, None)
    assert not (plain == RED).all(axis=-1).any()


def test_a_curve_without_figures_can_be_drawn() -> None:
    for curve in (Curve((), (), ()), Curve(((1, 5.0),), (), ((1, 0.1),))):
        assert picture_of(curve, None).shape[2] == 3


def test_a_run_has_a_picture_of_all_of_it(small_dataset: Path, tmp_path: Path) -> None:
    model, training = FrameModelConfig(units=(4,)), TrainingConfig(batch_size=4)
    pictures = []
    for steps in (3, 6):
        loop = LoopConfig(steps=steps, validation_interval=2)
        train(str(small_dataset), str(tmp_path), model, training, loop, resume=steps > 3)
        pictures.append((tmp_path / CURVE).read_bytes())
    assert pictures[0] != pictures[1]
    curve = Curve.of((tmp_path / METRICS).read_bytes().splitlines(), "bits")
    assert [step for step, _ in curve.training] == [1, 2, 3, 4, 5, 6]
    best = min(curve.validation, key=lambda point: point[1])[0]
    title = f"{tmp_path.name}: gru 4, 6 steps"
    assert pictures[1] == draw_curve(curve, label="bits per dimension", best_step=best, title=title)
