import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.verification.accounting import Account, account, add_up
from schemas import FeatureConfig


@st.composite
def configs(draw: st.DrawFn) -> FeatureConfig:
    window = draw(st.integers(1, 12))
    return FeatureConfig(
        hop_length=draw(st.integers(1, 7)),
        window_frames=window,
        stride_frames=draw(st.integers(1, window)),
        tail=draw(st.sampled_from(["pad", "drop"])),
    )


@dataclasses.dataclass(frozen=True)
class Cut:
    """A recording as the pipeline cuts it: some of its windows are rejected."""

    config: FeatureConfig
    length: int
    stored: list[int]
    rejected: list[int]

    @property
    def span(self) -> int:
        return self.config.window_frames * self.config.hop_length

    def mask(self, first_frames: list[int]) -> np.ndarray:
        """Which samples lie in windows; as long as the recording and a window."""
        mask = np.zeros(self.length + self.span, bool)
        for frame in first_frames:
            start = frame * self.config.hop_length
            mask[start : start + self.span] = True
        return mask

    @property
    def dropped(self) -> int:
        """Samples in no window, counted one by one."""
        return int((~self.mask(self.stored + self.rejected)[: self.length]).sum())

    def account(self, **changed: object) -> Account:
        values: dict[str, Any] = {
            "stored": self.stored,
            "rejected": self.rejected,
            "dropped": self.dropped,
        }
        return account(self.length, config=self.config, **{**values, **changed})


@st.composite
def cuts(draw: st.DrawFn) -> Cut:
    config = draw(configs())
    length = draw(st.integers(1, 300))
    count = config.window_count(config.frame_count(length))
    rejected = draw(st.sets(st.integers(0, count - 1))) if count else set()
    frames = [number * config.stride_frames for number in range(count)]
    return Cut(
        config,
        length,
        [frame for number, frame in enumerate(frames) if number not in rejected],
        [frame for number, frame in enumerate(frames) if number in rejected],
    )


@given(cut=cuts())
def test_every_sample_is_counted_once(cut: Cut) -> None:
    stored, rejected = cut.mask(cut.stored), cut.mask(cut.rejected)
    found = cut.account()
    assert found == Account(
        total=cut.length,
        stored=int(stored[: cut.length].sum()),
        rejected=int((rejected & ~stored)[: cut.length].sum()),
        dropped=cut.dropped,
        padding=int(stored[cut.length :].sum()),
        lost=0,
    )
    assert found.balances
    assert cut.config.tail == "drop" or found.dropped == 0


@given(cut=cuts())
def test_padding_is_what_lies_beyond_the_valid_frames_or_the_last_of_them(cut: Cut) -> None:
    hop, frames = cut.config.hop_length, cut.config.frame_count(cut.length)
    valid = {first: min(cut.config.window_frames, frames - first) for first in cut.stored}
    beyond = sum(cut.config.window_frames - count for count in valid.values()) * hop
    # The last valid frame is centered before the recording's end, and lasts for up to a hop more.
    at_the_end = [first for first in cut.stored if first + valid[first] == frames]
    assert beyond <= cut.account().padding <= beyond + hop * bool(at_the_end)


@given(cut=cuts(), data=st.data())
def test_a_window_that_is_neither_stored_nor_rejected_is_missed(
    cut: Cut, data: st.DataObject
) -> None:
    every = cut.stored + cut.rejected
    if not every:
        return
    gone = data.draw(st.sampled_from(every))
    found = cut.account(
        stored=[frame for frame in cut.stored if frame != gone],
        rejected=[frame for frame in cut.rejected if frame != gone],
    )
    rest = cut.mask([frame for frame in every if frame != gone])
    lost = int((cut.mask([gone]) & ~rest)[: cut.length].sum())
    assert found.lost == lost
    assert found.balances == (lost == 0)


@given(cut=cuts(), more=st.integers(-50, 50).filter(bool))
def test_another_number_of_dropped_samples_is_no_balance(cut: Cut, more: int) -> None:
    assert not cut.account(dropped=cut.dropped + more).balances


def test_a_gap_is_not_made_good_by_what_is_counted_twice() -> None:
    config = FeatureConfig(hop_length=10, window_frames=2, stride_frames=2)
    found = account(60, stored=[0, 4], rejected=[], dropped=20, config=config)
    assert found.total == found.stored + found.rejected + found.dropped
    assert not found.balances
    assert found.lost == 20


def test_accounts_add_up() -> None:
    assert add_up([]) == Account()
    one = Account(100, 80, 5, 15, 7, 0)
    assert add_up([one, one]) == Account(200, 160, 10, 30, 14, 0)


@pytest.mark.parametrize("samples", [0, 999, 12_345_678])
def test_an_account_is_a_readable_line(samples: int) -> None:
    text = str(Account(samples, samples, 0, 0, 9))
    assert text == f"{samples:,} samples: {samples:,} in windows, 0 in rejected windows, 0 dropped"
