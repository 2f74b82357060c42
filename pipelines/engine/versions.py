"""The versions of the packages that the bytes of a dataset depend on."""

from __future__ import annotations

import functools
import importlib.metadata
from collections.abc import Mapping

from pipelines.errors import PipelineError

_NUMERIC_PACKAGES = ("h5py", "numpy", "pyarrow", "scipy", "soundfile", "soxr")


@functools.cache
def numeric_versions() -> Mapping[str, str]:
    """Those of this process, by package."""
    return {name: importlib.metadata.version(name) for name in _NUMERIC_PACKAGES}


def require_versions(expected: Mapping[str, str]) -> None:
    """Raises `PipelineError` where this process, a worker's, has others than the run began with."""
    for name, version in numeric_versions().items():
        if version != expected[name]:
            raise PipelineError(
                f"a worker has {name} {version}, and the command that started the run "
                f"{expected[name]}: bytes could differ; install the same versions for both"
            )
