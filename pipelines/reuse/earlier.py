"""The dataset whose windows a run reuses: which one it is, and whether it can be used."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.errors import PipelineError
from schemas import Dataset, DatasetError, FeatureConfig, Storage
from schemas.manifest import MANIFEST_FILE
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


def open_earlier(root: str, config: FeatureConfig, packages: Mapping[str, str]) -> Dataset:
    """The dataset whose windows a run reuses. Raises as `require_reusable`, or where there is none.

    Whether its tables are whole is not known yet; see `cannot_be_reused`.
    """
    if not Storage(root).exists(MANIFEST_FILE):
        raise PipelineError(
            f"{root}: cannot be reused, because it holds no {MANIFEST_FILE}, and so no finished "
            "dataset; name another, or leave out reuse"
        )
    with cannot_be_reused(root):
        dataset = Dataset(root)
    require_reusable(dataset, config, packages)
    return dataset


@contextlib.contextmanager
def cannot_be_reused(root: str) -> Iterator[None]:
    """Says of a `DatasetError`, as a `PipelineError`, that a run can do without the dataset."""
    try:
        yield
    except DatasetError as error:
        raise PipelineError(f"{root}: cannot be reused, so leave out reuse: {error}") from None


def require_reusable(dataset: Dataset, config: FeatureConfig, packages: Mapping[str, str]) -> None:
    """Raises `PipelineError` where a run's windows may differ from those of a dataset.

    The run makes windows of `config`, with the versions `packages`.
    """
    root, manifest = dataset.storage.root, dataset.manifest
    theirs, ours = manifest.config.to_dict(), config.to_dict()
    differing = [name for name in ours if theirs[name] != ours[name]]
    if differing:
        had, has = (
            ", ".join(_spelled(name, values[name]) for name in differing)
            for values in (theirs, ours)
        )
        raise PipelineError(
            f"{root}: cannot be reused, because its windows are others: it has {had}, and this run "
            f"{has}; ask for the same, or leave out reuse"
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


def _spelled(name: str, value: Any) -> str:
    """A setting as options spell it."""
    return f"{name}={','.join(value) if isinstance(value, list | tuple) else value}"
