"""Choosing a Beam runner, checking its options, and saying in one line why a run failed."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions, SetupOptions
from apache_beam.runners.runner import PipelineRunner, create_runner

from pipelines.engine import LOCAL_RUNNER
from pipelines.engine.local_runner import local_runner
from pipelines.engine.metrics import metrics_of
from pipelines.errors import PipelineError
from schemas import DatasetError, StoreError


def run_pipeline(
    build: Callable[[beam.Pipeline], None],
    *,
    runner: str,
    workers: int,
    beam_arguments: Sequence[str],
) -> dict[str, Any] | None:
    """Builds a pipeline, runs it, waits for its end and returns its `metrics_of`,
    or none where the engine does not tell them.

    None where Beam was asked for a job file alone (`--template_location`), and nothing has run.

    `LOCAL_RUNNER` has `workers` workers; what other runners have, `beam_arguments` say. Raises
    `PipelineError`.
    """
    arguments = [f"--runner={runner}", *beam_arguments]
    if runner == LOCAL_RUNNER:
        arguments = [f"--direct_num_workers={workers}", *beam_arguments]
    options = checked_options(arguments)
    # What workers call is in modules that they have: there is nothing to pickle and send.
    options.view_as(SetupOptions).save_main_session = False
    try:
        with _runner(runner, workers) as chosen:
            pipeline = beam.Pipeline(runner=chosen, options=options)
            build(pipeline)
            # Beam's workers also print the traceback of what they raise and log.
            with open(os.devnull, "w") as nothing, contextlib.redirect_stderr(nothing):
                result = pipeline.run()
                if options.view_as(GoogleCloudOptions).template_location:
                    return None
                result.wait_until_finish()
            with contextlib.suppress(Exception):  # What was made is there, counted or not.
                return metrics_of(result)
            return {}
    except Exception as error:
        raise PipelineError(readable_failure(error)) from error


def _runner(name: str, workers: int) -> AbstractContextManager[PipelineRunner]:
    if name == LOCAL_RUNNER:
        return local_runner(workers)
    try:
        return contextlib.nullcontext(create_runner(name))
    except (ValueError, ImportError) as error:
        raise PipelineError(f"--runner {name}: {error}") from None


def checked_options(arguments: Sequence[str]) -> PipelineOptions:
    """Beam's options from a command line. Raises `PipelineError` for one that Beam lacks."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, conflict_handler="resolve")
    for options in (PipelineOptions, *PipelineOptions.__subclasses__()):
        options._add_argparse_args(parser)
    try:
        _, unknown = parser.parse_known_args(list(arguments))
    except SystemExit:
        raise PipelineError(f"Beam cannot read its options: {' '.join(arguments)}") from None
    if unknown:
        raise PipelineError(
            f"unknown option {unknown[0]!r} after '--': Beam has none of that name; "
            "options of the pipeline itself stand before '--'"
        )
    return PipelineOptions(list(arguments))


def readable_failure(error: Exception) -> str:
    """The message of our own error where one lies within what a runner raised, else its last line.

    Runners hand on a worker's error as the text of its traceback. Those in Java end with what was
    wrong first, after "Caused by:".
    """
    text = str(error)
    found = re.findall(
        rf"^(?:\w+\.)*(?:{'|'.join(_names_of(PipelineError, DatasetError, StoreError))}): (.*?)"
        r"(?=\n\nDuring handling|\nTraceback|\n\n|\Z| \[while running)",
        text,
        re.MULTILINE | re.DOTALL,
    )
    if isinstance(error, PipelineError) or not found:
        lines = re.sub(r" \[while running .*", "", text, flags=re.DOTALL).strip()
        if isinstance(error, PipelineError) or not lines:
            return lines or type(error).__name__
        causes = re.findall(r"^Caused by: (?:[\w.$]+: )?(.+)", lines, re.MULTILINE)
        return causes[-1].strip() if causes else lines.splitlines()[-1]
    return found[-1].strip()


def _names_of(*kinds: type[Exception]) -> list[str]:
    """The names of some errors and of all that are kinds of them."""
    below = [_names_of(*kind.__subclasses__()) for kind in kinds]
    return [*(kind.__name__ for kind in kinds), *(name for names in below for name in names)]
