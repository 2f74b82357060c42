"""When two names are the same id."""

from __future__ import annotations

import unicodedata


def id_key(recording_id: str) -> str:
    """What all spellings of an id have in common: neither case nor the Unicode form counts.

    Disks and programs change both (Unicode Standard, section 3.13, D145: canonical caseless match).
    """
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", recording_id).casefold())
