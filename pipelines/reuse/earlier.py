"""The dataset whose windows a run reuses: which one it is, and whether it can be used."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from pipelines.errors import PipelineError
from schemas import Dataset, FeatureConfig


@dataclasses.dataclass(frozen=True)
class EarlierDataset:
    """A dataset by its folder or URL, and by the fingerprint that it must have."""

    root: str
    fingerprint: str

    def open(self) -> Dataset:
        """Raises `PipelineError` where it is another one by now, and as `Dataset`."""
        dataset = Dataset(self.root)
        if dataset.manifest.fingerprint != self.fingerprint:
            raise PipelineError(
                f"{self.root}: was replaced while its windows were being reused; start the run "
                "again"
            )
        return dataset


def require_reusable(dataset: Dataset, config: FeatureConfig, packages: Mapping[str, str]) -> None:
    """Raises `PipelineError` where a run's windows may differ from those of a dataset.

    The run makes windows of `config`, with the versions `packages`. Raises `DatasetError` where the
    dataset does not say what it was made of.
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
    dataset.inputs()
