"""No license is claimed of anything that does not say it is MusicNet."""

from typing import Any

import pytest

from pipelines.cards.origin import MUSICNET, origin_of

ROW: dict[str, Any] = {
    "recording_id": "1727",
    "split": "train",
    "composer": "Schubert",
    "composition": "Piano Quintet in A major",
    "movement": "2. Andante",
    "ensemble": "Piano Quintet",
    "source": "European Archive",
    "transcriber": "http://tirolmusic.blogspot.com/",
    "catalog_name": "OP114",
    "license": None,
}
"""A recording as MusicNet's metadata describe it."""

REJECTED = {**dict.fromkeys(ROW), "recording_id": "x"}


def test_musicnet_is_known_by_its_metadata() -> None:
    assert origin_of([ROW, {**ROW, "recording_id": "2678"}, REJECTED]) is MUSICNET


@pytest.mark.parametrize(
    "other",
    [
        {"recording_id": "9001"},
        {"recording_id": "1726"},
        {"recording_id": "١٧٢٧"},
        {"recording_id": "take 1"},
        {"composer": "Someone"},
        {"composer": None},
        {"source": None},
        {"transcriber": ""},
        {"license": "CC0"},
    ],
)
def test_one_recording_of_others_is_enough_to_claim_nothing(other: dict[str, Any]) -> None:
    for rows in ([{**ROW, **other}], [ROW, {**ROW, **other}]):
        origin = origin_of(rows)
        assert not origin.license
        assert not origin.license_url
        assert not origin.citation
        assert "CC BY" not in origin.terms


def test_nothing_is_claimed_of_no_recording() -> None:
    assert "unknown" in origin_of([]).terms
    assert "unknown" in origin_of([REJECTED]).terms


def test_licenses_that_the_metadata_name_are_repeated() -> None:
    def of(*licenses: str | None) -> tuple[str, str]:
        origin = origin_of([{**ROW, "license": each} for each in licenses])
        return origin.stated_license, origin.terms

    assert of("CC0", " CC0") == ("CC0", "The metadata of the recordings say of their license: CC0.")
    assert of("CC0", "my\nown") == (
        "",
        "The metadata of the recordings say of their license: CC0; my\\nown.",
    )
    assert of("CC0", None) == (
        "",
        "The metadata of some of the recordings say of their license: CC0.",
    )
