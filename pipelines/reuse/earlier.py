"""The dataset whose windows a run reuses: which one it is, and whether it can be used."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from pipelines.errors import PipelineError
from schemas import Dataset, DatasetError, FeatureConfig
from schemas.tables import INPUTS_FILE


@dataclasses.dataclass(frozen=True)
class EarlierDataset:
    """A dataset whose windows a run of `WriteShards` reuses.

    Attributes:
        root: Its folder or URL.
        fingerprint: The fingerprint that it must have.

    Examples:
        >>> from pipelines import EarlierDataset
        >>> from schemas import Dataset
        >>> earlier = EarlierDataset("dataset", Dataset("dataset").manifest.fingerprint)
        >>> earlier.open().manifest.splits["train"].windows
        4
    """

    root: str
    fingerprint: str

    def open(self) -> Dataset:
        """Raises `PipelineError` where it is another one by now, or gone."""
        try:
            dataset = Dataset(self.root)
        except DatasetError as error:
            raise PipelineError(
                f"{self.root}: can no longer be reused ({error}); start the run again, and leave "
                "out reuse"
            ) from None
        if dataset.manifest.fingerprint != self.fingerprint:
            raise PipelineError(
                f"{self.root}: was replaced while its windows were being reused; start the run "
                "again"
            )
        return dataset


def require_reusable(dataset: Dataset, config: FeatureConfig, packages: Mapping[str, str]) -> None:
    """Raises `PipelineError` where a run's windows may differ from those of a dataset.

    The run makes windows of `config`, with the versions `packages`.
    """
    root, manifest = dataset.storage.root, dataset.manifest
    theirs, ours = manifest.config.to_dict(), config.to_dict()
    differing = [name for name in ours if theirs[name] != ours[name]]
    if differing:
        shown = ", ".join(f"{each}={theirs[each]!r}, not {ours[each]!r}" for each in differing)
        raise PipelineError(
            f"{root}: cannot be reused, because its windows are others: {shown}; ask for the same "
            "features, or leave out reuse"
        )
    for name, version in packages.items():
        if manifest.packages.get(name) != version:
            raise PipelineError(
                f"{root}: cannot be reused, because it was made with {name} "
                f"{manifest.packages.get(name)}, not {version}, so that bytes could differ; "
                "install that version, or leave out reuse"
            )
    if INPUTS_FILE not in manifest.files:
        raise PipelineError(
            f"{root}: cannot be reused, because an older version made it, which kept no digests of "
            "the input; leave out reuse"
        )
