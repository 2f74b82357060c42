"""`preprocess` as a Dataflow flex template: what Google's launcher calls to write the job file."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

from musicnet_duet.process import run_process
from pipelines.cli import main

METADATA = Path(__file__).with_name("metadata.json")


def parameter_names(metadata: bytes) -> list[str]:
    """The names of a template's parameters, as its metadata have them."""
    return [parameter["name"] for parameter in json.loads(metadata)["parameters"]]


def command_line(arguments: Sequence[str], parameters: Collection[str]) -> list[str]:
    """The command line for options `--name=value` in any order: after `--` those that are Beam's.

    `preprocess` itself takes the template's parameters, and the runner.
    """
    own, beam = [], []
    for argument in arguments:
        name, equals, value = argument.removeprefix("--").partition("=")
        if name in parameters or name == "runner":
            own.append(f"--{name.replace('_', '-')}{equals}{value}")
        else:
            beam.append(argument)
    return ["preprocess", *own, "--", *beam]


def launch() -> int:
    """Writes the job file for the options of this process, and returns the exit status."""
    return main(command_line(sys.argv[1:], parameter_names(METADATA.read_bytes())))


if __name__ == "__main__":
    run_process(launch)
