"""Where recordings are from, and under which license, as far as their metadata say so."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from schemas.rejects import printable

_MUSICNET_IDS = range(1727, 2679)
_MUSICNET_COMPOSERS = frozenset(
    {"Bach", "Beethoven", "Brahms", "Cambini", "Dvorak", "Faure", "Haydn", "Mozart", "Ravel",
     "Schubert"}
)  # fmt: skip
_MUSICNET_COLUMNS = ("composition", "ensemble", "source", "transcriber", "catalog_name")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Origin:
    """What is known of where recordings are from.

    Attributes:
        name: What they are called, for people.
        homepage: A URL, empty if there is none.
        license: An SPDX identifier of the annotations' license, empty if it is unknown.
        license_url: The URL of that license, empty if it is unknown.
        stated_license: What the metadata name, if it is the same for every recording; else empty.
        terms: A sentence on the license.
        citation: A BibTeX entry, empty if there is none.
    """

    name: str
    homepage: str
    license: str
    license_url: str
    stated_license: str
    terms: str
    citation: str


MUSICNET = Origin(
    name="MusicNet",
    homepage="https://zenodo.org/records/5120004",
    license="CC-BY-4.0",
    license_url="https://creativecommons.org/licenses/by/4.0/",
    stated_license="",
    terms="The annotations of MusicNet are licensed under CC BY 4.0. Its recordings are freely "
    "licensed or in the public domain, each under the terms of its own source.",
    citation="""\
@inproceedings{thickstun2017learning,
  title = {Learning Features of Music from Scratch},
  author = {Thickstun, John and Harchaoui, Zaid and Kakade, Sham M.},
  booktitle = {International Conference on Learning Representations (ICLR)},
  year = {2017},
  url = {https://arxiv.org/abs/1611.09827}
}""",
)
"""Thickstun, Harchaoui and Kakade (2017); the license is that of the record at Zenodo."""


def origin_of(recordings: Sequence[Mapping[str, Any]]) -> Origin:
    """MusicNet if every recording that is in a split is one of it; otherwise nothing is claimed.

    `recordings` are rows of `tables.RECORDINGS`. A recording counts as MusicNet's if its id, its
    composer and the columns that MusicNet fills say so, and nothing states another license.
    """
    used = [row for row in recordings if row["split"]]
    if used and all(map(_is_of_musicnet, used)):
        return MUSICNET
    stated = sorted({(row["license"] or "").strip() for row in used})
    named = [each for each in stated if each]
    terms = "The license of the recordings and of their labels is unknown."
    if named:
        whose = "the recordings" if named == stated else "some of the recordings"
        terms = f"The metadata of {whose} say of their license: {'; '.join(named)}."
    return Origin(
        name="Recordings",
        homepage="",
        license="",
        license_url="",
        stated_license=stated[0] if len(stated) == 1 else "",
        terms=printable(terms),
        citation="",
    )


def _is_of_musicnet(row: Mapping[str, Any]) -> bool:
    recording_id = row["recording_id"]
    return (
        recording_id.isascii()
        and recording_id.isdecimal()
        and int(recording_id) in _MUSICNET_IDS
        and row["composer"] in _MUSICNET_COMPOSERS
        and all(row[column] for column in _MUSICNET_COLUMNS)
        and not row["license"]
    )
