"""`dataset.json`: written last, so that its presence means that the dataset is whole."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from schemas.checksums import canonical_json, sha256
from schemas.errors import DamagedDataError, DatasetError
from schemas.features import FeatureConfig
from schemas.shards import SPLITS
from schemas.statistics import Statistics

FORMAT_VERSION = 1
MANIFEST_FILE = "dataset.json"


@dataclasses.dataclass(frozen=True)
class SplitSummary:
    """The size of one split; rejected windows are not counted."""

    shards: int
    windows: int
    recordings: int


@dataclasses.dataclass(frozen=True, slots=True)
class FileEntry:
    """What a file of the dataset must be."""

    sha256: str
    nbytes: int

    @classmethod
    def of(cls, data: bytes) -> FileEntry:
        """That of a file which holds `data`."""
        return cls(sha256(data), len(data))


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Manifest:
    """What `dataset.json` says: all that a reader needs to know before it opens another file.

    Attributes:
        config: The features of a window.
        seed: The seed for the splits and the order of the windows.
        formats: The file formats of the shards, such as ("tfrecord", "hdf5").
        splits: The number of shards, windows and recordings of each split.
        statistics: The mean and the standard deviation of each mel bin in the training split, in
            dB, float64 [n_mels]; None without `log_mel`.
        plan_digest: A digest of what the run was to make.
        fingerprint: A digest of the data, the same for every file format, any folder and any
            version that wrote the same values.
        packages: The versions of the packages that wrote the dataset.
        files: The sha256 and the size in bytes of every file but `dataset.json`, by name.

    Examples:
        >>> from schemas import Dataset
        >>> manifest = Dataset("dataset").manifest
        >>> manifest.formats, manifest.splits["train"].windows
        (('tfrecord', 'hdf5'), 4)
        >>> manifest.statistics.mean.shape
        (128,)
    """

    config: FeatureConfig
    seed: int
    formats: tuple[str, ...]
    splits: Mapping[str, SplitSummary]
    statistics: Statistics | None
    plan_digest: str
    fingerprint: str
    packages: Mapping[str, str]
    files: Mapping[str, FileEntry]

    def to_bytes(self) -> bytes:
        """The bytes of `dataset.json`, with the digest of the rest."""
        specs = self.config.specs().values()
        body: dict[str, Any] = {
            "format_version": FORMAT_VERSION,
            "config": self.config.to_dict(),
            "features": {
                spec.name: {"shape": list(spec.shape), "dtype": spec.dtype, "unit": spec.unit}
                for spec in specs
            },
            "seed": self.seed,
            "formats": list(self.formats),
            "splits": {name: dataclasses.asdict(split) for name, split in self.splits.items()},
            "statistics": self.statistics
            and {
                **self.statistics.to_dict(),
                "mean": self.statistics.mean.tolist(),
                "std": self.statistics.std.tolist(),
            },
            "plan_digest": self.plan_digest,
            "fingerprint": self.fingerprint,
            "packages": dict(self.packages),
            "files": {name: dataclasses.asdict(entry) for name, entry in self.files.items()},
        }
        body["digest"] = sha256(canonical_json(body))
        return spelled(body)

    @classmethod
    def from_bytes(cls, data: bytes, *, where: str) -> Manifest:
        """Reads what `to_bytes` made.

        Raises `DatasetError` for a newer format version, `DamagedDataError` where the file is not
        what was written.
        """
        try:
            body = json.loads(data)
            version = body["format_version"]
            digest = body.pop("digest", None)
            own_digest = sha256(canonical_json(body))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise DamagedDataError(f"{where}: not the manifest of a dataset") from None
        if type(version) is not int or version < 1:
            raise DamagedDataError(
                f"{where}: format_version={version!r} is not a version: the file was edited or "
                "damaged after it was written; make the dataset again"
            )
        if version > FORMAT_VERSION:
            raise DatasetError(
                f"{where}: written in format version {version}, this code reads up to "
                f"{FORMAT_VERSION}: install a newer version of musicnet-duet"
            )
        if digest != own_digest:
            raise DamagedDataError(
                f"{where}: differs from its own digest: it was edited or damaged after it was "
                "written; make the dataset again"
            )
        try:
            statistics = body["statistics"]
            return cls(
                config=FeatureConfig.from_dict(body["config"], where=where),
                seed=body["seed"],
                formats=tuple(body["formats"]),
                splits={name: SplitSummary(**body["splits"][name]) for name in SPLITS},
                statistics=statistics and Statistics.from_dict(statistics, where=where),
                plan_digest=body["plan_digest"],
                fingerprint=body["fingerprint"],
                packages=body["packages"],
                files={name: FileEntry(**entry) for name, entry in body["files"].items()},
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise DamagedDataError(f"{where}: lacks what a manifest says: {error!r}") from None


def spelled(body: Mapping[str, Any]) -> bytes:
    """The JSON of a manifest as it is written: sorted, indented by one space."""
    return json.dumps(body, indent=1, sort_keys=True, allow_nan=False).encode() + b"\n"
