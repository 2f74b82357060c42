from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.dataset_factory import FRAMES, make_dataset
from training import TrainingError, open_dataset
from training.baselines.fit import NAMES, fit_baselines
from training.evaluate import (
    Evaluation,
    PairedDifference,
    evaluate,
    paired_differences,
    valid_levels,
)
from training.grid import dequantize
from training.models import likelihood
from training.trained_model import load_trained
from training.works import SharedWorks


@pytest.fixture(scope="module")
def evaluation(small_dataset: Path, small_run: Path) -> Evaluation:
    return evaluate(str(small_run), str(small_dataset))


def test_every_scorer_has_the_bits_of_the_same_frames(
    evaluation: Evaluation, small_dataset: Path, small_run: Path
) -> None:
    model = load_trained(small_run).model
    train = [levels for _, levels in valid_levels(open_dataset(small_dataset))]
    baselines = fit_baselines(train, 8)
    expected: dict[str, list[np.ndarray]] = {"model": [], **{name: [] for name in NAMES}}
    for _, levels in valid_levels(open_dataset(small_dataset, "test")):
        packed = model(dequantize(levels)[np.newaxis])
        log_prob = likelihood.log_prob(likelihood.Mixture.unpack(packed), levels[np.newaxis])
        expected["model"].append(-log_prob.numpy()[0, 2:] / np.log(2))
        for name, baseline in baselines.items():
            expected[name].append(baseline.bits(levels))
    for name, parts in expected.items():
        every = np.concatenate(parts)
        assert len(every) == evaluation.frames
        assert evaluation.bits[name] == pytest.approx(every.mean(), rel=1e-4)


def test_recordings_add_up(evaluation: Evaluation) -> None:
    scores = evaluation.recordings
    assert [score.recording_id for score in scores] == ["test-0", "test-1", "test-2"]
    # Recordings of 130, 140 and 90 frames have two windows each, whose first frames score nothing.
    assert [score.frames for score in scores] == [frames - 4 for frames in FRAMES["test"]]
    total = sum(score.frames * score.bits["model"] for score in scores)
    assert evaluation.bits["model"] == pytest.approx(total / evaluation.frames)
    differences = [score.bits["histogram"] - score.bits["model"] for score in scores]
    assert evaluation.paired["histogram"].mean == pytest.approx(np.mean(differences))


def test_works_shared_with_training_are_counted(evaluation: Evaluation) -> None:
    assert evaluation.same_dataset
    assert evaluation.works == SharedWorks(shared=2, not_shared=1, unknown=0)


def test_paired_differences_of_few_works_have_no_interval() -> None:
    assert paired_differences([np.array([2, 2, 6, 8, 4, 0])], ["a work"]) == {
        "histogram": PairedDifference(2.0, None),
        "persistence": PairedDifference(3.0, None),
        "autoregression": PairedDifference(1.0, None),
        "linear_chain": PairedDifference(-1.0, None),
    }


def test_paired_differences_have_intervals_over_works() -> None:
    rng = np.random.default_rng(0)
    totals = [np.array([1, 0, *row]) for row in rng.normal(1, 0.1, (8, 4))]
    for name, found in paired_differences(totals, list("abcdefgh")).items():
        assert found.interval is not None
        assert found.interval[0] < found.mean < found.interval[1], name
    unknown = paired_differences(totals, [*"abcdefg", None])
    assert {each.interval for each in unknown.values()} == {None}


def test_other_features_are_refused(small_run: Path, tiny_dataset: Path) -> None:
    with pytest.raises(TrainingError, match="features differ"):
        evaluate(str(small_run), str(tiny_dataset))


def test_other_features_are_told_before_memory(small_run: Path, tiny_dataset: Path) -> None:
    with pytest.raises(TrainingError, match=r"features differ .*: sample_rate is .* in the run"):
        evaluate(str(small_run), str(tiny_dataset), memory_bytes=1)


def test_a_folder_without_a_run_is_refused(small_dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="there is no run here; make one with"):
        evaluate(str(tmp_path), str(small_dataset))


def test_the_data_may_be_another_dataset_of_the_same_features(
    small_run: Path, tmp_path: Path
) -> None:
    other = make_dataset(tmp_path, seed=1)
    found = evaluate(str(small_run), str(other), "validation")
    assert found.split == "validation"
    assert not found.same_dataset
