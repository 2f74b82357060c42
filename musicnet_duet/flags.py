"""Errors of the library name its arguments; those of a command name its flags instead."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Mapping

FLAGS: Mapping[str, str] = {
    "batch_size": "--batch-size",
    "checkpoint": "--checkpoint",
    "components": "--components",
    "decay_steps": "--decay-steps",
    "deterministic": "--deterministic",
    "dropout": "--dropout",
    "ema": "--ema",
    "formats": "--format",
    "function": "--model",
    "gain_db": "--gain-db",
    "head": "--head",
    "hear": "--hear",
    "hears": "--hear",
    "horizon": "--horizon",
    "input_root": "--input",
    "learning_rate": "--learning-rate",
    "max_rejects": "--max-rejects",
    "model": "--model",
    "noise": "--noise",
    "output": "--output",
    "overwrite": "--overwrite",
    "patience": "--patience",
    "resume": "--resume",
    "run_dir": "--run",
    "runner": "--runner",
    "seconds": "--seconds",
    "seed": "--seed",
    "shard_megabytes": "--shard-mb",
    "steps": "--steps",
    "temperature": "--temperature",
    "test_split": "--test-split",
    "units": "--units",
    "validation_interval": "--validation-interval",
    "warmup_steps": "--warmup-steps",
    "workers": "--workers",
    "works": "--works",
}
"""The flag that sets an argument, by the argument's name."""

PHRASES: Mapping[str, str] = {
    "(max_rejects)": "(--max-rejects)",
    "another output": "another --output",
    "another run_dir": "another --run",
    "features=log_mel,waveform": "--features log_mel,waveform",
    "folder for the output": "folder for --output",
    "given as score, or a composer": "given as --score, or a composer, given as --compose",
    "leave out reuse": "leave out --reuse",
    "smaller learning_rate": "smaller --learning-rate",
    "splits: has no row": "--splits: has no row",
    "splits: recording": "--splits: recording",
    "the input must be": "--input must be",
}
"""What errors say of an argument without its value. A name alone may be that of a file."""

_QUOTED = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
_ARGUMENT = re.compile(
    rf"(?<![^\s(])(?<!json: )(?P<name>{'|'.join(FLAGS)})="
    rf"(?P<value>{_QUOTED}|[\w.+-]+)(?=[\s,;:)]|$)"
)
_PHRASE = re.compile(rf"(?<!\S)(?:{'|'.join(map(re.escape, PHRASES))})(?=[\s,;:]|$)")


def with_flags(message: str) -> str:
    """The message of an error with flags in place of arguments.

    `overwrite=True` becomes `--overwrite`, and `seed=3` becomes `--seed 3`, unless it is a JSON
    file that says so.
    """
    named = _ARGUMENT.sub(_flag, message)
    return _PHRASE.sub(lambda found: PHRASES[found.group()], named)


def _flag(found: re.Match[str]) -> str:
    flag, value = FLAGS[found["name"]], found["value"]
    if value == "True":
        return flag
    plain = ast.literal_eval(value) if value[0] in "'\"" else value
    return f"{flag} {shlex.quote(plain)}"
