"""Which recordings are for training, validation and test."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

VALIDATION_SHARE = 0.1
"""Of the duration of MusicNet's training recordings, at least this much becomes validation."""


def work_of(row: Mapping[str, Any]) -> tuple[str, ...]:
    """The work that a recording plays: composer and composition, or itself without metadata."""
    composer, composition = row.get("composer"), row.get("composition")
    if composer and composition:
        return (composer, composition)
    return (row["recording_id"],)


def split_recordings(rows: Iterable[tuple[Mapping[str, Any], str]], *, seed: int) -> dict[str, str]:
    """The split of each recording id, for rows paired with their group, `train` or `test`.

    MusicNet's test recordings stay test. Validation takes whole works from the others, in the
    order of a keyed digest of their names, until it has `VALIDATION_SHARE` of their duration: at
    least one work, and never the last one that is left for training.
    """
    splits: dict[str, str] = {}
    seconds: defaultdict[tuple[str, ...], float] = defaultdict(float)
    members: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    for row, group in rows:
        splits[row["recording_id"]] = group
        if group == "train":
            work = work_of(row)
            seconds[work] += row["samples"] / row["sample_rate"]
            members[work].append(row["recording_id"])
    wanted = VALIDATION_SHARE * sum(seconds.values())
    taken = 0.0
    for work in sorted(members, key=lambda work: _draw(work, seed))[:-1]:
        if taken >= wanted:
            break
        taken += seconds[work]
        splits.update(dict.fromkeys(members[work], "validation"))
    return splits


def _draw(work: tuple[str, ...], seed: int) -> bytes:
    text = json.dumps([seed, *work], separators=(",", ":"), ensure_ascii=True)
    return hashlib.blake2b(text.encode(), digest_size=16).digest()
