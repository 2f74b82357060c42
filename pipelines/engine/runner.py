"""Choosing a Beam runner, checking its options, and saying in one line why a run failed."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
from collections.abc import Callable, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions, SetupOptions

from pipelines.engine import BEAM_RUNNERS
from pipelines.engine.local import LocalRun
from pipelines.engine.metrics import metrics_of
from pipelines.errors import PipelineError
from schemas import DatasetError, StoreError


def run_pipeline(
    build: Callable[[beam.Pipeline], None],
    *,
    runner: str,
    beam_arguments: Sequence[str],
    local: LocalRun | None = None,
) -> dict[str, Any] | None:
    """Builds a pipeline, runs it, waits for its end and returns its `metrics_of`.

    The mapping is empty where the engine does not tell metrics. None says that Beam was asked for a
    job file alone (`--template_location`), and nothing has run.
    Raises the first error of a step of the `local` run, and `PipelineError` for all others.
    """
    options = checked_options([f"--runner={BEAM_RUNNERS.get(runner, runner)}", *beam_arguments])
    # What workers call is in modules that they have: there is nothing to pickle and send.
    options.view_as(SetupOptions).save_main_session = False
    try:
        pipeline = beam.Pipeline(options=options)
    except (ValueError, ImportError) as error:
        raise PipelineError(f"runner={runner!r}: {error}") from None
    try:
        build(pipeline)
        # Beam also prints the traceback of what a step raises.
        with open(os.devnull, "w") as nothing, contextlib.redirect_stderr(nothing):
            result = pipeline.run()
            if options.view_as(GoogleCloudOptions).template_location:
                return None
            result.wait_until_finish()
        with contextlib.suppress(Exception):  # What was made is there, counted or not.
            return metrics_of(result)
        return {}
    except Exception as error:
        if local and local.failure:
            raise local.failure from None
        if _is_interrupt(error):
            raise KeyboardInterrupt from None
        raise PipelineError(readable_failure(error)) from error


def _is_interrupt(error: BaseException | None) -> bool:
    """Whether Beam made an error of its own of Ctrl-C."""
    while error and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def checked_options(arguments: Sequence[str]) -> PipelineOptions:
    """Beam's options from a command line. Raises `PipelineError` for one that Beam lacks."""
    unknown: list[str] = []

    def find_unknown(parser: argparse.ArgumentParser) -> None:
        parser.allow_abbrev = False  # As in newer versions of Beam.
        unknown.extend(parser.parse_known_args(list(arguments))[1])

    try:
        options = PipelineOptions(list(arguments))
        options.get_all_options(add_extra_args_fn=find_unknown)
    except SystemExit:
        raise PipelineError(f"Beam cannot read its options: {' '.join(arguments)}") from None
    if unknown:
        raise PipelineError(
            f"unknown option {unknown[0]!r} after '--': Beam has none of that name; "
            "options of the pipeline itself go before '--'"
        )
    return options


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
