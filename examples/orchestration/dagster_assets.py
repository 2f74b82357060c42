"""Dagster: `dagster dev -f dagster_assets.py`, then materialize the assets.

The version of the dataset's data is its fingerprint, so that Dagster knows what is up to date.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

import dagster as dg

STEPS = 500


def duet(*arguments: str) -> dict[str, Any]:
    """The result of a command; it raises where that fails, with the reason in Dagster's log."""
    run = subprocess.run(["duet", *arguments, "--json"], check=True, stdout=subprocess.PIPE)
    return json.loads(run.stdout)


@dg.asset
def dataset() -> dg.MaterializeResult:
    """Windows of the recordings; a run that was stopped goes on, and a whole one is made anew."""
    again = ["--overwrite"] if Path("dataset/dataset.json").exists() else []
    made = duet("preprocess", "--input", "recordings", "--output", "dataset", *again)
    windows = {name: split["windows"] for name, split in made["splits"].items()}
    return dg.MaterializeResult(
        metadata={"windows": dg.MetadataValue.json(windows), "bytes": made["bytes"]},
        data_version=dg.DataVersion(made["fingerprint"]),
    )


@dg.asset(deps=[dataset])
def evaluation(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """A model of the dataset, and its bits per dimension on the test split."""
    run = f"runs/{context.run_id}"
    duet("train", "--data", "dataset", "--run", run, "--steps", str(STEPS))
    scores = duet("evaluate", "--run", run, "--data", "dataset")
    return dg.MaterializeResult(metadata={"run": run, "scores": dg.MetadataValue.json(scores)})


defs = dg.Definitions(assets=[dataset, evaluation])
