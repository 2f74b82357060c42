"""What Croissant's extension for responsible AI (RAI) asks, as far as it can be answered.

The answers come from the dataset and, for MusicNet, from the paper that presents it. The properties
are those of https://docs.mlcommons.org/croissant/docs/croissant-rai-spec.html.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.cards.origin import MUSICNET, origin_of
from pipelines.cards.recipe import command
from pipelines.cards.subject import Subject
from schemas.rejects import printable
from schemas.works import has_work


def responsible_use(subject: Subject) -> dict[str, Any]:
    """Properties of the RAI extension by name: a text, or a list of texts."""
    origin = origin_of(subject.recordings)
    manifest = subject.manifest
    used = [row for row in subject.recordings if row["split"]]
    lost = len(subject.recordings) - len(used)
    unknown = sum(not has_work(row) for row in used)
    answers: dict[str, Any] = {
        "dataPreprocessingProtocol": [
            f"Made with: {command(manifest)}",
            "Recordings were averaged to one channel, resampled, cut into windows of equal length "
            "and put into an order that a keyed permutation decides.",
        ],
        "dataCollectionMissingData": f"{lost:,} recordings were rejected as a whole; "
        "rejects.parquet has each of them, and every rejected window, with the reason.",
        "dataBiases": [_shares(used, "composer"), _shares(used, "ensemble")],
        "dataLimitations": [
            "README.md names the works that have recordings in more than one split, apart from "
            f"{unknown:,} recordings whose work is unknown.",
        ],
        "dataUseCases": ["Training and evaluating models of music: generation, transcription."],
        "personalSensitiveInformation": [
            "The metadata may name performers and transcribers; there is no other information on "
            "persons but how they play."
        ],
    }
    if origin is MUSICNET:
        answers |= {
            "dataCollection": "Freely licensed and public-domain recordings of classical music, "
            "with digital scores of the same works.",
            "dataAnnotationProtocol": [
                "The notes of a score are aligned to the recording by dynamic time warping, and "
                "checked by trained musicians. The paper estimates that 4 % of labels are wrong."
            ],
        }
    return answers


def _shares(rows: Sequence[Mapping[str, Any]], column: str) -> str:
    """How many recordings each value of a column has, the most frequent first."""
    counts = Counter(printable((row[column] or "").strip()) or "unknown" for row in rows)
    ordered = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    return f"Recordings by {column}: {', '.join(f'{name} {count}' for name, count in ordered)}."
