from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from training.horizon import HEARD, HORIZONS, NOTES_AHEAD, Horizon

shapes = st.tuples(st.integers(1, 40), st.integers(1, 60).map(lambda half: 2 * half))
"""hop_length and n_fft."""


def covered(frame: int, hop_length: int, n_fft: int) -> range:
    """The samples of a frame, as the dataset's format defines them."""
    begin = frame * hop_length - n_fft // 2
    return range(begin, begin + n_fft)


@given(shape=shapes, frame=st.integers(0, 50))
def test_no_sample_of_a_frame_is_heard_with_the_strict_horizon(
    shape: tuple[int, int], frame: int
) -> None:
    hop_length, n_fft = shape
    horizon = Horizon.of("strict", hop_length=hop_length, n_fft=n_fft)
    own = covered(frame, hop_length, n_fft)
    assert frame * hop_length + horizon.offset == own.start
    assert covered(frame - horizon.delay, *shape).stop <= own.start
    assert covered(frame - horizon.delay + 1, *shape).stop > own.start


@given(shape=shapes, frame=st.integers(0, 50))
def test_the_overlapping_horizon_ends_where_the_frame_before_ends(
    shape: tuple[int, int], frame: int
) -> None:
    hop_length, n_fft = shape
    horizon = Horizon.of("overlap", hop_length=hop_length, n_fft=n_fft)
    assert horizon.delay == 1
    assert frame * hop_length + horizon.offset == covered(frame - 1, *shape).stop


@given(
    shape=shapes,
    frames=st.integers(1, 60),
    kind=st.sampled_from(HORIZONS),
    hears=st.sets(st.sampled_from(HEARD), min_size=1),
)
def test_those_frames_are_scored_whose_horizon_is_in_the_window(
    shape: tuple[int, int], frames: int, kind: str, hears: set[str]
) -> None:
    """By trying each frame."""
    hop_length, n_fft = shape
    horizon = Horizon.of(kind, hop_length=hop_length, n_fft=n_fft)

    def is_whole(frame: int) -> bool:
        end = frame * hop_length + horizon.offset
        whole = frame - horizon.delay - 1 >= 0
        if "time" in hears:
            whole &= end - horizon.span >= 0 and end <= frames * hop_length
        if "notes" in hears:
            whole &= frame + NOTES_AHEAD < frames
        return whole

    expected = [frame for frame in range(frames) if is_whole(frame)]
    assert list(range(frames))[horizon.scored(hears, frames)] == expected
