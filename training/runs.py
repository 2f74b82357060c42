"""The folder of a run: what it was started with, and where its parts are.

RUN/
  run.json         the settings (model, training, loop), and what they met: features, fingerprint
                   and statistics of the dataset, and the versions of Python and of packages
  metrics.jsonl    the figures of each step, a line of JSON each
  curve.png        the same as a picture
  checkpoints/     see `fitting/checkpoints.py`
  tensorboard/     scalars, pictures and sound
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import math
import os
import platform
import shlex
from collections.abc import Collection, Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from musicnet_duet.outputs import (
    COMPOSER_FILE,
    RUN_FILE,
    RUN_FOLDERS,
    RUN_PICTURE,
    TRANSCRIBER_FILE,
    dataset_around,
)
from schemas import Dataset, FeatureConfig, Storage
from training.config import (
    FrameModelConfig,
    LoopConfig,
    ModelFunction,
    TrainingConfig,
    from_json,
)
from training.errors import TrainingError
from training.reading.opening import require_stored
from training.validation import shown

CHECKPOINTS, TENSORBOARD = RUN_FOLDERS
METRICS = "metrics.jsonl"
CURVE = RUN_PICTURE

VERSION = 2
"""Of the folder's layout. Version 1 had no number, and kept weights in npz files."""

PACKAGES = ("keras", "musicnet_duet", "numpy", "tensorflow")

SCORES = ("bits", "loss")

FACTS = ("features", "fingerprint", "mean_db", "packages", "score", "std_db", "version")
"""What the file says beside the settings."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
    """What a run was started with.

    Where `function` names a user's own model, `model` holds its bins and its seed alone. `loop` is
    that of the latest call, since resuming may change it. `score` is what validations give: `bits`
    per dimension, or the `loss` of a model that is compiled with its own. `mean_db` and `std_db`
    [n_mels] are those of each bin in the training split, in dB. `packages` are the versions that it
    was started with, also that of Python; resuming with others is allowed.
    """

    model: FrameModelConfig
    training: TrainingConfig
    loop: LoopConfig
    features: FeatureConfig
    fingerprint: str
    mean_db: tuple[float, ...]
    std_db: tuple[float, ...]
    packages: Mapping[str, str]
    function: str | None = None
    score: str = "bits"

    @classmethod
    def of(
        cls,
        dataset: Dataset,
        model: FrameModelConfig | ModelFunction,
        training: TrainingConfig,
        loop: LoopConfig = LoopConfig(),  # noqa: B008 - it is frozen
    ) -> Run:
        """A run on a dataset, whose bins and whose seed replace those of `model`.

        Raises `TrainingError` where the dataset holds no `log_mel`, or not what the model hears.
        """
        manifest = dataset.manifest
        if manifest.statistics is None:
            raise TrainingError(
                f"{dataset.storage.root}: holds no log_mel, so there is nothing to learn; "
                "make it again with this feature"
            )
        function = model.function if isinstance(model, ModelFunction) else None
        own = FrameModelConfig() if isinstance(model, ModelFunction) else model
        derived: dict[str, Any] = {"n_mels": manifest.config.n_mels, "seed": training.seed}
        if function is None:
            require_stored(dataset, own.features)
            config = manifest.config
            derived |= {
                "hop_length": config.hop_length,
                "n_fft": config.n_fft,
                "sample_rate": config.sample_rate,
            }
        return cls(
            model=dataclasses.replace(own, **derived),
            function=function,
            training=training,
            loop=loop,
            features=manifest.config,
            fingerprint=manifest.fingerprint,
            mean_db=tuple(manifest.statistics.mean.tolist()),
            std_db=tuple(manifest.statistics.std.tolist()),
            packages=run_versions(),
        )

    @property
    def model_setting(self) -> FrameModelConfig | ModelFunction:
        return self.model if self.function is None else ModelFunction(self.function)

    def to_json(self) -> bytes:
        values = {
            **dataclasses.asdict(self),
            "model": _model_of(self),
            "features": self.features.to_dict(),
            "version": VERSION,
        }
        del values["function"]  # It is that of the model.
        return json.dumps(values, indent=1, sort_keys=True, allow_nan=False).encode() + b"\n"

    @classmethod
    def from_json(cls, text: bytes, *, where: str) -> Run:
        """Reads what `to_json` made; `where` names the file for the `TrainingError`."""
        try:
            values = json.loads(text)
            _require_version(values, where=where)
            model = dict(values["model"])
            function = None
            if "function" in model:
                named = {"function": model.pop("function")}
                function = from_json(ModelFunction, named, where=where).function
            run = cls(
                model=from_json(FrameModelConfig, model, where=where),
                function=function,
                score=SCORES[SCORES.index(values.get("score", "bits"))],
                training=from_json(TrainingConfig, values["training"], where=where),
                loop=from_json(LoopConfig, values.get("loop", {}), where=where),
                features=FeatureConfig.from_dict(values["features"], where=where),
                fingerprint=values["fingerprint"],
                mean_db=tuple(map(float, values["mean_db"])),
                std_db=tuple(map(float, values["std_db"])),
                packages=dict(values["packages"]),
            )
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise TrainingError(
                f"{where}: not the description of a run: {error!r}; start another run"
            ) from None
        bins = {run.model.n_mels, run.features.n_mels, len(run.mean_db), len(run.std_db)}
        if len(bins) > 1 or not all(map(math.isfinite, (*run.mean_db, *run.std_db))):
            raise TrainingError(f"{where}: was edited or damaged; start another run")
        return run

    def require_same(self, other: Run, *, where: str) -> None:
        """Raises `TrainingError` with what differs between this, found at `where`, and `other`."""
        mine, its = _flat(self), _flat(other)
        differing = [
            f"{name} is {mine[name]} there and {its[name]} here"
            for name in mine
            if name in its and mine[name] != its[name]
        ]
        if differing:
            raise TrainingError(
                f"{where}: cannot be resumed, since {'; '.join(differing)}; use what it was "
                "started with, or another run_dir"
            )

    def require_features(self, dataset: Dataset) -> None:
        """Raises `TrainingError`, with what differs, unless its log-mels are made as the run's."""
        missing = [each for each in self.model.features if each not in dataset.config.features]
        if missing:
            raise TrainingError(
                f"{dataset.storage.root}: holds no {' and no '.join(missing)}; use the dataset of "
                "the run"
            )
        require_same_features(self.features, dataset, ignoring=("features",))


def require_same_features(
    features: FeatureConfig, dataset: Dataset, *, ignoring: Collection[str]
) -> None:
    """Raises `TrainingError`, with what differs, unless a dataset's features are those of a run.

    The fields `ignoring` may differ.
    """
    mine, its = features.to_dict(), dataset.config.to_dict()
    differing = [
        f"{name} is {its[name]} there and {mine[name]} in the run"
        for name in mine
        if name not in ignoring and mine[name] != its[name]
    ]
    if differing:
        raise TrainingError(
            f"{dataset.storage.root}: its features differ from those that the model was trained "
            f"on: {'; '.join(differing)}; use the dataset of the run, or one made with the same "
            "settings"
        )


def require_outside_datasets(folder: str | PathLike[str]) -> None:
    """Raises `TrainingError` where a folder is that of a dataset, or lies in it."""
    if dataset := dataset_around(Storage(folder).local_path()):
        raise TrainingError(f"{folder}: {dataset} is a dataset's own folder; choose another")


def require_new(run_dir: str, files: Collection[str]) -> None:
    """Raises `TrainingError` unless a run of any kind, which writes `files`, may begin in a folder.

    Nothing of another run is in it, and it is outside of datasets.
    """
    require_outside_datasets(run_dir)
    folder = Storage(run_dir).local_path()
    if any(os.path.exists(folder / name) for name in (RUN_FILE, TRANSCRIBER_FILE, COMPOSER_FILE)):
        raise TrainingError(f"{run_dir}: holds a run already; choose another run_dir")
    for name in files:
        if os.path.exists(folder / name):
            raise TrainingError(
                f"{folder / name}: exists, and belongs to no run; choose another run_dir"
            )


def is_run(folder: str | PathLike[str]) -> bool:
    return os.path.exists(Path(folder) / RUN_FILE)


def read_run(folder: str | PathLike[str]) -> Run:
    """Raises `TrainingError` where there is no run, and `DatasetError` where it cannot be read."""
    path = Path(folder) / RUN_FILE
    if not is_run(folder):
        raise TrainingError(
            f"{path}: no such file, so there is no run here; make one with: "
            f"duet train --data DATASET --run {shlex.quote(str(folder))}"
        )
    return Run.from_json(Storage(folder).read_bytes(RUN_FILE), where=str(path))


def write_run(folder: str | PathLike[str], run: Run) -> None:
    """Raises `DatasetError` with the path, the cause, and the remedy where it cannot be written."""
    Storage(folder).write_bytes(RUN_FILE, run.to_json())


def _model_of(run: Run) -> dict[str, Any]:
    """What makes the model: all of its settings, or a function with what that is given."""
    if run.function is None:
        return dataclasses.asdict(run.model)
    return {"function": run.function, "n_mels": run.model.n_mels, "seed": run.model.seed}


def _flat(run: Run) -> dict[str, Any]:
    """What two runs may differ in, by the names that a user knows."""
    model = _model_of(run)
    return {
        "dataset fingerprint": run.fingerprint,
        "model": model.pop("recurrent" if run.function is None else "function"),
        **model,
        **dataclasses.asdict(run.training),
    }


def run_versions() -> dict[str, str]:
    """The versions of Python and of the packages that a run depends on."""
    return {**installed_versions(PACKAGES), "python": platform.python_version()}


def installed_versions(packages: Iterable[str]) -> dict[str, str]:
    """The version of each package, by the name of its module, which is imported."""
    return {name: importlib.import_module(name).__version__ for name in packages}


def _require_version(values: Mapping[str, Any], *, where: str) -> None:
    if "version" not in values and "mixtures" in values["model"]:
        raise TrainingError(
            f"{where}: this run was made by an earlier version, whose checkpoints this one cannot "
            "read; start another run, or use the version that made it"
        )
    if values["version"] != VERSION:
        raise TrainingError(
            f"{where}: has version {shown(values['version'])} of the format, and this is version "
            f"{VERSION}; use the version of musicnet-duet that made it"
        )
