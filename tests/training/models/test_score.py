from __future__ import annotations

import numpy as np
import pytest

from training.errors import TrainingError
from training.grid import dequantize
from training.models import FrameModel, FrameModelConfig, SamplingConfig, sample_levels
from training.models.sampling import BLOCK_FRAMES, sampling_of
from training.models.score import Score

N_MELS = 6


def model_of(*hears: str, horizon: str = "overlap") -> FrameModel:
    config = FrameModelConfig(n_mels=N_MELS, units=(6,), hears=hears, horizon=horizon)
    model = FrameModel(config)
    model.set_statistics(np.linspace(-20, -60, N_MELS), np.linspace(5, 12, N_MELS))
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(0, 0.2, variable.shape))
    return model


def score_of(pieces: int, frames: int, seed: int = 0) -> Score:
    rolls = np.random.default_rng(seed).integers(0, 2, (2, pieces, frames, 128)).astype(np.uint8)
    return Score(*rolls)


def test_a_score_is_silent_before_its_beginning_and_after_its_end() -> None:
    score = score_of(1, 5)
    early = score.frames(-3, 5)
    assert not early.notes[:, :3].any()
    np.testing.assert_array_equal(early.notes[:, 3:], score.notes[:, :2])
    assert score.frames(-9, 4).notes.shape == (1, 4, 128)
    part = score.frames(3, 6)
    np.testing.assert_array_equal(part.notes[:, :2], score.notes[:, 3:])
    assert not part.notes[:, 2:].any()
    assert not score.frames(9, 2).onsets.any()


@pytest.mark.parametrize("shape", [(5, 128), (1, 5, 127)])
def test_other_arrays_are_no_score(shape: tuple[int, ...]) -> None:
    roll = np.zeros(shape, np.uint8)
    with pytest.raises(TrainingError, match=r"must be an array \[pieces, frames, 128\]"):
        Score(roll, roll)


def test_each_piece_follows_its_own_score() -> None:
    model, score = model_of("frequency", "notes"), score_of(2, 12)
    together = sample_levels(model, 12, seeds=[3, 3], score=score)
    assert (together[0] != together[1]).any()
    for number in range(2):
        own = Score(score.notes[number : number + 1], score.onsets[number : number + 1])
        both = sample_levels(model, 12, seeds=[3, 4], score=own)
        np.testing.assert_array_equal(both[0, 0], together[number, 0])


@pytest.mark.parametrize("seam", [BLOCK_FRAMES - 1, BLOCK_FRAMES, BLOCK_FRAMES + 1])
def test_notes_are_heard_two_frames_ahead_also_across_blocks(seam: int) -> None:
    model, frames = model_of("frequency", "notes"), seam + 4
    score = score_of(1, frames)
    changed = Score(score.notes.copy(), score.onsets.copy())
    changed.onsets[:, seam] ^= 1
    one, other = (
        sample_levels(model, frames, seeds=[0], score=each)[0] for each in (score, changed)
    )
    np.testing.assert_array_equal(one[: seam - 2], other[: seam - 2])
    assert (one[seam - 2] != other[seam - 2]).any()


def test_a_prime_is_heard_with_the_beginning_of_the_score() -> None:
    """What follows a prime of drawn frames is what was drawn."""
    model, score = model_of("frequency", "notes"), score_of(1, 9)
    drawn = sample_levels(model, 9, seeds=[0], config=SamplingConfig(temperature=1e-9), score=score)
    again = sample_levels(
        model,
        4,
        seeds=[1],
        config=SamplingConfig(temperature=1e-9),
        prime=drawn[0, :5],
        score=score,
    )
    np.testing.assert_array_equal(again[0], drawn[0, 5:])


def test_the_means_of_struck_components_do_not_follow_the_frame_before() -> None:
    """With a score, the first component of each bin is as loud after silence as after noise."""
    model = model_of("frequency", "notes")
    for layer in model.trunk:
        for variable in layer.trainable_variables:
            variable.assign(np.zeros(variable.shape))
    score = score_of(1, 2)
    packed = []
    for level_db in (-90.0, -10.0):
        log_mel = np.full((1, 2, N_MELS), level_db, np.float32)
        log_mel[:, 1] = -40.0
        model.head.chains.assign(np.zeros(model.head.chains.shape))
        inputs = {"log_mel": log_mel, "notes": score.notes, "onsets": score.onsets}
        packed.append(model(inputs).numpy()[0, 1])
    means = [each[model.config.components : 2 * model.config.components] for each in packed]
    np.testing.assert_allclose(means[0][0], means[1][0], atol=1e-4)
    assert (np.abs(means[0][1:] - means[1][1:]) > 10).all()


def test_a_score_is_needed_by_models_that_hear_notes_and_by_no_others() -> None:
    with pytest.raises(TrainingError, match="hears notes, so it needs a score"):
        sample_levels(model_of("notes"), 2, seeds=[0])
    with pytest.raises(TrainingError, match="hears no notes, so it takes no score"):
        sample_levels(model_of("frequency"), 2, seeds=[0], score=score_of(1, 2))
    with pytest.raises(TrainingError, match="score has 2 pieces for 3 seeds"):
        sample_levels(model_of("notes"), 2, seeds=[0, 1, 2], score=score_of(2, 2))


@pytest.mark.parametrize(
    ("hears", "horizon"),
    [(("time",), "overlap"), (("frequency", "time"), "overlap"), (("frequency",), "strict")],
)
def test_what_cannot_generate_says_so(hears: tuple[str, ...], horizon: str) -> None:
    model = model_of(*hears, horizon=horizon)
    assert not model.config.generates
    with pytest.raises(TrainingError, match=f"hears {' and '.join(hears)} .*{horizon}.* cannot"):
        sample_levels(model, 2, seeds=[0])


def test_samples_of_notes_alone_follow_from_the_score() -> None:
    """Nothing of the frames before is heard, so a frame depends on notes and chance alone."""
    model, score = model_of("notes"), score_of(1, 6)
    cold = SamplingConfig(temperature=1e-9)
    one, other = (
        sample_levels(model, 6, seeds=[seed], config=cold, score=score) for seed in (0, 1)
    )
    np.testing.assert_array_equal(one, other)
    assert np.isfinite(dequantize(one)).all()


def test_a_score_has_a_default_temperature_of_its_own() -> None:
    with_notes, without = (
        sampling_of(model_of(*hears).config) for hears in (("frequency", "notes"), ("frequency",))
    )
    assert with_notes == SamplingConfig.for_score()
    assert without == SamplingConfig.for_music()
    assert sampling_of(model_of("notes").config, 0.5).temperature == 0.5
