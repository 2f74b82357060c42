from __future__ import annotations

import numpy as np
import pytest

from tests.support.measured_sounds import CONFIG, tunes
from training.measures.judge import Judge
from training.measures.real_music import RealMusic, RealWindow, real_music
from training.measures.reference import MIN_WINDOWS

FRAMES = 86


@pytest.fixture(scope="module")
def windows() -> list[RealWindow]:
    """Two seconds of each of 50 tunes, four to a recording, the last one shorter.

    Two recordings play the same work.
    """
    made = [
        RealWindow(f"r{seed // 4}", (f"w{seed // 8}",), *tunes(seed, FRAMES)) for seed in range(50)
    ]
    return [*made, RealWindow("r0", ("w0",), *tunes(99, FRAMES - 1))]


@pytest.fixture(scope="module")
def music(windows: list[RealWindow]) -> RealMusic:
    return real_music(windows, CONFIG, FRAMES)


def test_whole_windows_are_observed(music: RealMusic) -> None:
    assert music.windows == 50
    assert [len(observed) for observed in music.observations.values()] == [4] * 12 + [2]
    assert music.reference is not None


def test_a_recording_is_heard_by_a_transcriber_of_other_works(
    windows: list[RealWindow], music: RealMusic
) -> None:
    """Labels that say nothing are learned by heart by who is taught them, and by nobody else.

    The two recordings of a work have the same windows and labels.
    """
    rng = np.random.default_rng(0)
    nonsense: list[RealWindow] = []
    for each in windows[:-1]:
        labels = np.tile(rng.random(128) < 0.1, (FRAMES, 1)).astype(np.uint8)
        for name in ("once", "again"):
            recording = f"{each.recording_id} {name}"
            nonsense.append(RealWindow(recording, each.work, each.log_mel, labels))
    found = real_music(nonsense, CONFIG, FRAMES)
    assert music.average_precision is not None
    assert found.average_precision is not None
    assert found.average_precision < 0.2
    assert music.average_precision > 0.5
    for each in nonsense[:4]:
        taught = found.ear.observe(each.log_mel).notes
        assert taught is not None
        assert _agreement(taught, each) > _agreement(_observed(found, each), each) + 0.3


def _observed(music: RealMusic, window: RealWindow) -> np.ndarray:
    observed = music.observations[window.recording_id]
    agreements = [_agreement(each.notes, window) for each in observed if each.notes is not None]
    notes = observed[int(np.argmax(agreements))].notes
    assert notes is not None
    return notes


def _agreement(notes: np.ndarray, window: RealWindow) -> float:
    assert window.notes is not None
    return float((notes & (window.notes > 0)).sum() / window.notes.sum())


def test_longer_windows_are_cut(windows: list[RealWindow], music: RealMusic) -> None:
    shorter = real_music(windows, CONFIG, FRAMES - 1)
    assert shorter.windows == 51
    one, other = shorter.observations["r1"][0], music.observations["r1"][0]
    assert one.measured != other.measured


def test_too_few_windows_make_the_judgment_unknown(windows: list[RealWindow]) -> None:
    few = real_music(windows[: MIN_WINDOWS - 1], CONFIG, FRAMES)
    assert few.reference is None
    judgment = Judge(few, 4).judge([each.log_mel for each in windows[40:44]])
    assert judgment.unlike is None
    assert judgment.outside is None
    assert judgment.unlike_windows is None
    assert judgment.windows == 4
    assert judgment.medians["level_db"] < 60


def test_without_labels_nothing_is_known_about_notes(windows: list[RealWindow]) -> None:
    unlabeled = [RealWindow(each.recording_id, each.work, each.log_mel, None) for each in windows]
    music = real_music(unlabeled, CONFIG, FRAMES)
    assert music.average_precision is None
    judgment = Judge(music, 4).judge([each.log_mel for each in windows[:4]])
    assert judgment.pitch_classes is None
    assert judgment.polyphony_shares is None
    assert judgment.unlike is False


def test_a_set_is_judged_as_a_set(windows: list[RealWindow], music: RealMusic) -> None:
    judge = Judge(music, 12)
    new = [tunes(seed, FRAMES)[0] for seed in range(200, 212)]
    like, softer = judge.judge(new), judge.judge([each - 20 for each in new])
    assert like.unlike is False
    assert like.outside == ()
    assert like.pitch_classes is not None
    assert sum(like.pitch_classes) == pytest.approx(1)
    assert softer.unlike
    assert softer.outside == ("level_db",)
    assert softer.measures is not None
    assert like.measures is not None
    assert softer.measures.value > 1.5 * softer.measures.limit
    assert softer.measures.limit == like.measures.limit


def test_all_is_a_function_of_the_windows(windows: list[RealWindow], music: RealMusic) -> None:
    again = real_music(windows, CONFIG, FRAMES)
    assert again.reference == music.reference
    assert again.ear.threshold == music.ear.threshold
    judged = [windows[number].log_mel for number in range(6)]
    assert Judge(again, 6).judge(judged) == Judge(music, 6).judge(judged)
