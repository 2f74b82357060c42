"""The ways to read that the benchmark compares."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from benchmarks.peers import GRAIN, TORCH, Peer

OURS, OURS_TF_DATA = "ours: arrays, TFRecord", "ours: as tf.data, TFRecord"
TF_DATA, GRAIN_ARRAYS, LIMIT = "tf.data, TFRecord", "Grain, ArrayRecord", "limit: preadv, crc32c"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Contender:
    """A module of `benchmarks.reading`, and the settings with which it may run.

    It reads the shards of the dataset that end in `ending`, or a copy that it makes, if it `copies`
    them. It runs in the environment of a peer, or in development's.
    """

    module: str
    settings: tuple[tuple[str, ...], ...] = ((),)
    ending: str = "tfrecord"
    copies: bool = False
    resumes: bool = False
    peer: Peer | None = None

    def command(
        self, task: str, dataset: Path, features: str, setting: tuple[str, ...] = ()
    ) -> list[object]:
        """The arguments of `python -m` for one of the tasks of `reading.timing`."""
        copied = [self._copy_of(dataset)] if self.copies else []
        module = f"benchmarks.reading.{self.module}"
        return [module, task, dataset, features, *copied, *setting]

    def files(self, dataset: Path) -> list[Path]:
        """The files that it reads windows from."""
        if self.copies:
            return sorted(path for path in self._copy_of(dataset).rglob("*") if path.is_file())
        return sorted((dataset / "train").glob(f"*.{self.ending}"))

    def _copy_of(self, dataset: Path) -> Path:
        return dataset.with_name(f"{dataset.name}-{self.module}")


_INTERLEAVED_AND_THREADS = (("-1", "0"), ("1", "0"), ("16", "0"), ("16", "2"))
_THREADS_AND_PROCESSES = (("0", "0"), ("2", "0"), ("0", "1"), ("0", "2"))
_WORKERS = (("0",), ("2",))

CONTENDERS = {
    OURS: Contender(module="ours", settings=(("tfrecord",),), resumes=True),
    "ours: arrays, HDF5": Contender(
        module="ours", settings=(("hdf5",),), ending="h5", resumes=True
    ),
    OURS_TF_DATA: Contender(module="ours_tf_data"),
    "ours: PyTorch DataLoader, TFRecord": Contender(module="torch_loader", peer=TORCH),
    TF_DATA: Contender(module="tf_data", settings=_INTERLEAVED_AND_THREADS, resumes=True),
    GRAIN_ARRAYS: Contender(
        module="grain_arrayrecord",
        settings=_THREADS_AND_PROCESSES,
        copies=True,
        resumes=True,
        peer=GRAIN,
    ),
    "MosaicML streaming, MDS": Contender(
        module="mosaic", settings=_WORKERS, copies=True, peer=TORCH
    ),
    LIMIT: Contender(module="limit"),
}
"""By their names in the tables. The modules say what their settings mean."""
