from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from musicnet_duet.command import as_json
from tests.support.dataset_factory import ALL_FEATURES, CONFIG, FEW_FRAMES, make_dataset
from training import TrainingError, open_dataset
from training.composing import BitsPerFrame, RollLikelihood, composing_example
from training.composing.baselines import NAMES
from training.composing.evaluate import ComposerEvaluation, evaluate_composer
from training.composing.reports import evaluation_lines
from training.composing.runs import load_composer


@pytest.fixture(scope="module")
def evaluation(composer_run: Path, rolls: Path) -> ComposerEvaluation:
    return evaluate_composer(str(composer_run), str(rolls))


def test_bits_are_those_of_keras_and_recordings_make_up_the_split(
    evaluation: ComposerEvaluation, composer_run: Path, rolls: Path
) -> None:
    _, model = load_composer(str(composer_run))
    model.compile("adam", RollLikelihood(), weighted_metrics=[BitsPerFrame()])
    reader = open_dataset(str(rolls), "test", features=("notes", "onsets"), batch_size=2)
    scored = model.evaluate(
        reader.as_tf_dataset(composing_example(model.config)), verbose=0, return_dict=True
    )
    assert evaluation.score.bits["model"] == pytest.approx(scored["bits"], rel=1e-5)
    assert evaluation.score.frames == 30 - 3  # A recording of three windows.
    for name in ("model", *NAMES):
        sums = [each.frames * each.bits[name] for each in evaluation.score.recordings]
        assert sum(sums) / evaluation.score.frames == pytest.approx(evaluation.score.bits[name])


def test_onsets_of_other_pitches_are_counted(evaluation: ComposerEvaluation, rolls: Path) -> None:
    onsets = [
        batch["onsets"] for batch in open_dataset(str(rolls), "test", features="onsets").in_order()
    ]
    outside = np.concatenate(onsets)[..., np.r_[:30, 91:128]]
    assert evaluation.score.onsets_outside == outside.sum() > 0


def test_an_evaluation_is_printed_and_is_json(evaluation: ComposerEvaluation) -> None:
    lines = evaluation_lines(evaluation)
    assert lines[0] == "bits per frame, test split, lower is better"
    assert lines[1].split()[:3] == ["recording", "frames", "model"]
    assert any(line.startswith("all ") for line in lines)
    assert any("too few real windows" in line for line in lines)
    assert lines[-1].endswith(("a copy: yes", "a copy: no"))
    assert json.loads(as_json(evaluation))["score"]["frames"] == evaluation.score.frames
    assert set(evaluation.judgments) == {"composed", "held-out music", "independent frames"}


def test_another_dataset_of_the_same_frames_is_told_apart(
    evaluation: ComposerEvaluation, composer_run: Path, tmp_path: Path
) -> None:
    assert evaluation.same_dataset
    other = make_dataset(tmp_path, config=ALL_FEATURES, frames=FEW_FRAMES, seed=1)
    assert not evaluate_composer(str(composer_run), str(other)).same_dataset


def test_the_training_split_is_no_copy_of_itself(composer_run: Path, rolls: Path) -> None:
    found = evaluate_composer(str(composer_run), str(rolls), "train")
    assert found.copies is None
    assert "copy" not in evaluation_lines(found)[-1]


def test_other_frames_and_empty_splits_are_errors(composer_run: Path, tmp_path: Path) -> None:
    other = make_dataset(tmp_path / "other", config=CONFIG)
    with pytest.raises(TrainingError, match="hop_length is 64, and 4 in the run; use a dataset"):
        evaluate_composer(str(composer_run), str(other))
    with pytest.raises(TrainingError, match=r"holds no composer\.json"):
        evaluate_composer(str(tmp_path), str(other))
