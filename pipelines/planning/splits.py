"""Which recordings are for training, validation and test."""

from __future__ import annotations

import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pipelines.errors import PipelineError
from pipelines.planning import FOLDERS as FOLDERS
from pipelines.planning import TEST_SPLITS as TEST_SPLITS
from pipelines.planning import WORK_DISJOINT as WORK_DISJOINT
from pipelines.planning import WORKS as WORKS
from pipelines.recordings.csv_tables import open_csv
from pipelines.recordings.ids import id_key
from pipelines.recordings.metadata import METADATA_FILE
from schemas import Storage
from schemas.shards import SPLITS
from schemas.works import has_work, work_of

VALIDATION_SHARE = 0.1
"""Of the duration of the training recordings, at least this much becomes validation."""

TEST_SHARE = 0.1
"""Of the duration of all recordings, at least this much becomes test, where no group says more."""


def split_recordings(
    rows: Iterable[tuple[Mapping[str, Any], str]],
    *,
    seed: int,
    test_split: str = TEST_SPLITS[0],
    works: str = WORKS[0],
) -> dict[str, str]:
    """The split of each recording id, for rows paired with their group: train, test or empty.

    Where no recording has a group, test takes whole works in the order of a keyed digest of their
    names, until it has `TEST_SHARE` of all duration; then validation does from what is not test,
    until it has `VALIDATION_SHARE` of that. Each takes at least one work, and leaves one for each
    of those that come after it. A recording whose work is unknown counts as a work of its own; if
    `works` is "folders", those of one folder are one work.

    Raises `PipelineError` where `work-disjoint` cannot be promised, because the works of some
    recordings are unknown.
    """
    rows = list(rows)
    key = folder_of if works == FOLDERS else work_of
    if test_split == WORK_DISJOINT and works != FOLDERS:
        _require_works(rows)
    members: defaultdict[tuple[str, ...], list[Mapping[str, Any]]] = defaultdict(list)
    test, test_works = [], set()
    for row, group in rows:
        if group == "test":
            test.append(row)
            test_works.add(key(row))
        else:
            members[key(row)].append(row)
    if not any(group for _, group in rows):
        test_works = set(_drawn(members, seed, TEST_SHARE, left=2))
    if test_split == WORK_DISJOINT or not test:
        test += [row for work in sorted(test_works) for row in members.pop(work, [])]
    splits = {row["recording_id"]: "test" for row in test}
    for own in members.values():
        splits.update({row["recording_id"]: "train" for row in own})
    for work in _drawn(members, seed, VALIDATION_SHARE, left=1):
        splits.update({row["recording_id"]: "validation" for row in members[work]})
    return splits


def folder_of(row: Mapping[str, Any]) -> tuple[str, ...]:
    """The folder of a recording's audio file, in place of the work that it plays."""
    return (row["path"].rpartition("/")[0],)


def _drawn(
    members: Mapping[tuple[str, ...], Sequence[Mapping[str, Any]]],
    seed: int,
    share: float,
    *,
    left: int,
) -> list[tuple[str, ...]]:
    """Works drawn until they have a share of the duration; at least `left` works are not drawn."""
    seconds = {work: sum(map(_seconds, own)) for work, own in members.items()}
    wanted = share * sum(seconds.values())
    drawn: list[tuple[str, ...]] = []
    taken = 0.0
    for work in sorted(members, key=lambda work: _draw(work, seed))[:-left]:
        if taken >= wanted:
            break
        taken += seconds[work]
        drawn.append(work)
    return drawn


def _require_works(rows: Sequence[tuple[Mapping[str, Any], str]]) -> None:
    unknown = [row["recording_id"] for row, _ in rows if not has_work(row)]
    if unknown and len({group for _, group in rows}) > 1:
        raise PipelineError(
            f"{METADATA_FILE}: test_split={WORK_DISJOINT!r} needs the work of every recording, and "
            f"composer or composition is unknown of {len(unknown)} of {len(rows)}, the first of "
            f"them {unknown[0]!r}; complete the metadata, assign splits of your own, or use "
            f"test_split={TEST_SPLITS[0]!r}"
        )


def assigned_splits(recording_ids: Sequence[str], assigned: Mapping[str, str]) -> dict[str, str]:
    """The split of each recording by a table of one's own, whose ids are compared by `id_key`.

    Raises `PipelineError` for a gap, and for an id in two splits.
    """
    by_key: dict[str, str] = {}
    for recording_id, split in assigned.items():
        if by_key.setdefault(id_key(recording_id), split) != split:
            raise PipelineError(f"splits: recording {recording_id!r} is in two splits")
    missing = [each for each in recording_ids if id_key(each) not in by_key]
    if missing:
        raise PipelineError(
            f"splits: has no row for {len(missing)} of {len(recording_ids)} recordings, the "
            f"first of them {missing[0]!r}; every recording needs one"
        )
    return {recording_id: by_key[id_key(recording_id)] for recording_id in recording_ids}


def read_splits(path: str) -> dict[str, str]:
    """A CSV file with the columns `id` and `split`, as a mapping. Raises `PipelineError`."""
    folder, name = os.path.split(path)
    data = Storage(folder or ".").read_bytes(name)
    assigned: dict[str, str] = {}
    by_key: dict[str, str] = {}
    table = open_csv(data, where=path)
    if not {"id", "split"} <= set(table.columns):
        raise PipelineError(f"{path}: must have the columns id and split")
    for line, fields in table.rows:
        row = dict(zip(table.columns, map(str.strip, fields), strict=False))
        recording_id, split = row.get("id"), row.get("split")
        if not recording_id or split not in SPLITS:
            raise PipelineError(
                f"{path}: line {line}: {recording_id!r}, {split!r}: must be a recording's id and "
                f"one of {', '.join(SPLITS)}"
            )
        if by_key.setdefault(id_key(recording_id), split) != split:
            raise PipelineError(f"{path}: line {line}: recording {recording_id!r} is in two splits")
        assigned[recording_id] = split
    return assigned


def works_in_several_splits(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Works that recordings of more than one split play: `work`, and ids by split.

    Recordings whose work is unknown are not among them, which does not say that they share none.
    """
    found: defaultdict[tuple[str, ...], defaultdict[str, list[str]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for row in rows:
        if row["split"] and has_work(row):
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
