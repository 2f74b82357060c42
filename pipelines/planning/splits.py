"""Which recordings are for training, validation and test."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pipelines.errors import PipelineError
from pipelines.planning import TEST_SPLITS as TEST_SPLITS
from schemas import Storage
from schemas.shards import SPLITS
from schemas.works import work_of

VALIDATION_SHARE = 0.1
"""Of the duration of the training recordings, at least this much becomes validation."""


def split_recordings(
    rows: Iterable[tuple[Mapping[str, Any], str]], *, seed: int, test_split: str = TEST_SPLITS[0]
) -> dict[str, str]:
    """The split of each recording id, for rows paired with their group, `train` or `test`.

    Validation takes whole works from what is not test, in the order of a keyed digest of their
    names, until it has `VALIDATION_SHARE` of their duration: at least one work, and never the last
    one that is left for training.
    """
    members: defaultdict[tuple[str, ...], list[Mapping[str, Any]]] = defaultdict(list)
    test, test_works = [], set()
    for row, group in rows:
        if group == "test":
            test.append(row)
            test_works.add(work_of(row))
        else:
            members[work_of(row)].append(row)
    if test_split == "work-disjoint":
        test += [row for work in sorted(test_works) for row in members.pop(work, [])]
    splits = {row["recording_id"]: "test" for row in test}
    for own in members.values():
        splits.update({row["recording_id"]: "train" for row in own})
    seconds = {work: sum(map(_seconds, own)) for work, own in members.items()}
    wanted = VALIDATION_SHARE * sum(seconds.values())
    taken = 0.0
    for work in sorted(members, key=lambda work: _draw(work, seed))[:-1]:
        if taken >= wanted:
            break
        taken += seconds[work]
        splits.update({row["recording_id"]: "validation" for row in members[work]})
    return splits


def assigned_splits(recording_ids: Sequence[str], assigned: Mapping[str, str]) -> dict[str, str]:
    """The split of each recording by a table of one's own. Raises `PipelineError` for a gap."""
    missing = [recording_id for recording_id in recording_ids if recording_id not in assigned]
    if missing:
        raise PipelineError(
            f"--splits: has no row for {len(missing)} of {len(recording_ids)} recordings, the "
            f"first of them {missing[0]!r}; every recording needs one"
        )
    return {recording_id: assigned[recording_id] for recording_id in recording_ids}


def read_splits(path: str) -> dict[str, str]:
    """A CSV file with the columns `id` and `split`, as a mapping. Raises `PipelineError`."""
    folder, name = os.path.split(path)
    data = Storage(folder or ".").read_bytes(name)
    assigned: dict[str, str] = {}
    try:
        rows = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""))
        if not {"id", "split"} <= set(rows.fieldnames or ()):
            raise PipelineError(f"{path}: must have the columns id and split")
        for row in rows:
            place = f"{path}: line {rows.line_num}"
            recording_id, split = row["id"], row["split"]
            if not recording_id or split not in SPLITS:
                raise PipelineError(
                    f"{place}: {recording_id!r}, {split!r}: must be a recording's id and one of "
                    f"{', '.join(SPLITS)}"
                )
            if assigned.get(recording_id, split) != split:
                raise PipelineError(f"{place}: recording {recording_id!r} is in two splits")
            assigned[recording_id] = split
    except (UnicodeDecodeError, csv.Error) as error:
        raise PipelineError(f"{path}: not a CSV table: {error}") from None
    return assigned


def works_in_several_splits(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The works of which recordings of more than one split are: `work`, and ids by split."""
    found: defaultdict[tuple[str, ...], defaultdict[str, list[str]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for row in rows:
        if row["split"]:
            found[work_of(row)][row["split"]].append(row["recording_id"])
    return [
        {"work": ": ".join(work), **{split: own[split] for split in SPLITS if split in own}}
        for work, own in sorted(found.items())
        if len(own) > 1
    ]


def _seconds(row: Mapping[str, Any]) -> float:
    return row["samples"] / row["sample_rate"]


def _draw(work: tuple[str, ...], seed: int) -> bytes:
    text = json.dumps([seed, *work], separators=(",", ":"), ensure_ascii=True)
    return hashlib.blake2b(text.encode(), digest_size=16).digest()
