"""Airflow: put this file into the folder of DAGs, and set the variable `duet_folder`.

A task that fails is tried again, and goes on where it stopped.
"""

from datetime import timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import dag

FOLDER = "{{ var.value.duet_folder }}"
COMMANDS = {
    "preprocess": "[ -e dataset/dataset.json ] || "
    "duet preprocess --input recordings --output dataset",
    "verify": "duet verify dataset",
    "train": "duet train --data dataset --run run --steps 500 "
    "$([ -e run/run.json ] && echo --resume)",
    "evaluate": "duet evaluate --run run --data dataset --json > evaluation.json",
}


@dag(
    dag_id="duet",
    schedule=None,
    catchup=False,
    default_args={"retries": 2, "retry_delay": timedelta(seconds=10)},
)
def duet() -> None:
    """Recordings to a dataset, a model and its figures, in the folder `duet_folder`."""
    previous = None
    for name, command in COMMANDS.items():
        task = BashOperator(task_id=name, bash_command=command, cwd=FOLDER)
        if previous is not None:
            previous >> task
        previous = task


duet()
