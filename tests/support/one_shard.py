"""Run as a process: writes one shard, and prints what its files and two controls came to."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.writing.shard_writer import ShardJob, write_shard
from schemas.mel import MelTransform
from schemas.shards import FORMATS
from tests.support.reference import digests
from tests.support.tiny_musicnet import CONFIG
from tests.support.without_beam import plan_recordings


def main(input_root: str, build_root: str) -> None:
    plan = plan_recordings(Path(input_root), Path(build_root), CONFIG)
    job = ShardJob(input_root, build_root, FORMATS, MelTransform.from_config(CONFIG))
    write_shard("train", 0, plan, job)
    noise = np.random.default_rng(0).uniform(0.1, 9, (300, 300)).astype(np.float32)
    controls = {"log": digest(np.log(noise)), "sgemm": digest(noise @ noise)}
    print(json.dumps({"files": digests(Path(build_root)), **controls}))


def digest(array: NDArray[Any]) -> str:
    return hashlib.sha256(array.tobytes()).hexdigest()


if __name__ == "__main__":
    main(*sys.argv[1:])
