"""Adding the files for other tools to a dataset that has none, or has others'."""

from __future__ import annotations

import dataclasses

from pipelines.build_folder import locked_dataset, remove_leftovers
from pipelines.cards.files import write_cards
from pipelines.cards.subject import Subject
from schemas import Dataset, Storage
from schemas.manifest import MANIFEST_FILE
from schemas.names import CARD_FILES
from schemas.shards import SPLITS


@dataclasses.dataclass(frozen=True)
class CardResult:
    """What `duet card` did.

    Attributes:
        dataset: The folder or URL of the dataset.
        files: The cards that the manifest vouches for.
        kept: Files with the name of a card that are not ours, and were left as they are.
    """

    dataset: str
    files: tuple[str, ...]
    kept: tuple[str, ...]


def add_cards(root: str) -> CardResult:
    """Writes the cards of a published dataset, and then the manifest that vouches for them.

    Whenever this is stopped, the dataset is whole, and a second call completes the work.

    Raises `DatasetError` where there is no whole dataset, or it cannot be written to,
    `DamagedDataError` where a table is damaged, and `PipelineError` while a run is writing there.
    """
    storage = Storage(root)
    storage.require_store()
    Dataset(root)  # Before anything is locked: there may be no folder to hold a lock.
    with locked_dataset(root):
        remove_leftovers(storage)
        dataset = Dataset(root)
        written = write_cards(storage, subject_of(dataset))
        if written.manifest.files != dataset.manifest.files:
            storage.write_bytes(MANIFEST_FILE, written.manifest.to_bytes())
    files = tuple(name for name in CARD_FILES if name in written.manifest.files)
    return CardResult(root, files, written.kept)


def subject_of(dataset: Dataset) -> Subject:
    """What the cards of a published dataset are made of."""
    return Subject(
        manifest=dataset.manifest,
        recordings=dataset.recordings(sound=True).to_pylist(),
        shard_windows={split: _shard_windows(dataset, split) for split in SPLITS},
    )


def _shard_windows(dataset: Dataset, split: str) -> tuple[int, ...]:
    shards = dataset.shards(split, dataset.manifest.formats[0])
    return tuple(dataset.index(shard, sound=True).table.num_rows for shard in shards)
