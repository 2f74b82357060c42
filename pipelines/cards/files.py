"""All cards of a dataset, and how they get there without replacing what is not ours."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from pipelines.cards.croissant import croissant_json
from pipelines.cards.hugging_face import readme
from pipelines.cards.subject import Subject
from pipelines.cards.tensorflow_datasets import dataset_info_json, features_json
from schemas import Storage
from schemas.checksums import sha256
from schemas.manifest import FileEntry, Manifest
from schemas.names import CARD_FILES, CROISSANT_FILE, README_FILE, TFDS_FILES


def card_files(subject: Subject) -> dict[str, bytes]:
    """The bytes of each card by its name; the same for every engine, folder and time.

    TensorFlow Datasets reads TFRecord shards only, and has no files where there are none.
    """
    cards: dict[str, bytes] = {}
    if "tfrecord" in subject.manifest.formats:
        texts = (features_json(subject.manifest.config), dataset_info_json(subject))
        cards |= dict(zip(TFDS_FILES, texts, strict=True))
    return {**cards, README_FILE: readme(subject), CROISSANT_FILE: croissant_json(subject)}


@dataclasses.dataclass(frozen=True)
class WrittenCards:
    """A manifest that vouches for the cards in the folder, except for those in `kept`.

    `kept` are the names of files that are not ours, and were left as they are.
    """

    manifest: Manifest
    kept: tuple[str, ...]


def write_cards(storage: Storage, subject: Subject) -> WrittenCards:
    """Writes the cards of a dataset, but not its manifest.

    A file that has the name of a card is replaced only if the manifest vouches for its bytes.
    """
    known = subject.manifest.files
    written: dict[str, FileEntry] = {}
    kept = []
    for name, data in card_files(subject).items():
        entry = FileEntry.of(data)
        found = sha256(storage.read_bytes(name)) if storage.exists(name) else None
        if found not in (None, entry.sha256) and not _vouches(known, name, found):
            kept.append(name)
            continue
        if found != entry.sha256:
            storage.write_bytes(name, data)
        written[name] = entry
    files = {**{name: known[name] for name in known if name not in CARD_FILES}, **written}
    manifest = dataclasses.replace(subject.manifest, files=dict(sorted(files.items())))
    return WrittenCards(manifest, tuple(kept))


def _vouches(files: Mapping[str, FileEntry], name: str, found: str | None) -> bool:
    return name in files and files[name].sha256 == found
