from collections.abc import Callable

import pytest

from musicnet_duet.cli import PROGRAM
from musicnet_duet.command import CommandParser
from musicnet_duet.flags import FLAGS, PHRASES, with_flags

MESSAGES = {
    "out: holds a dataset already; use overwrite=True to replace it, or choose another output": (
        "out: holds a dataset already; use --overwrite to replace it, or choose another --output"
    ),
    "x.wav: exists; choose another name, or replace it (overwrite=True)": (
        "x.wav: exists; choose another name, or replace it (--overwrite)"
    ),
    "max_rejects=2 must be a number from 0 to 1": "--max-rejects 2 must be a number from 0 to 1",
    "shard_megabytes=-0.5 must be": "--shard-mb -0.5 must be",
    "gain_db=-1.0 must be a number from 0": "--gain-db -1.0 must be a number from 0",
    "lie one folder deeper: use input_root='/a'": "lie one folder deeper: use --input /a",
    'use input_root="/it\'s here"': "use --input '/it'\"'\"'s here'",
    r"use input_root='/a\'b\"'": "use --input '/a'\"'\"'b\"'",
    "worker processes cannot be started: none; use workers=1": (
        "worker processes cannot be started: none; use --workers 1"
    ),
    "runner='NoRunner': unknown": "--runner NoRunner: unknown",
    "4 of 6 recordings cannot be used, 3 may be rejected (max_rejects):\n  1": (
        "4 of 6 recordings cannot be used, 3 may be rejected (--max-rejects):\n  1"
    ),
    "r: holds a run already; go on with it (resume=True) or choose another run_dir": (
        "r: holds a run already; go on with it (--resume) or choose another --run"
    ),
    "the weights diverged; start another run with a smaller learning_rate": (
        "the weights diverged; start another run with a smaller --learning-rate"
    ),
    "splits: recording '1' is in two splits": "--splits: recording '1' is in two splits",
}


@pytest.mark.parametrize("message", MESSAGES)
def test_arguments_become_flags(message: str) -> None:
    assert with_flags(message) == MESSAGES[message]


@pytest.mark.parametrize(
    "message",
    [
        "/data/seed=1/101.wav: is empty",
        "seed=1/101.wav: is empty",
        "run_dir: no such folder",
        "splits: no such folder",
        "/another/output: no such folder",
        "run/run.json: units=0 must be an integer from 1 to 65536",
        "n_mels=0 must be a positive integer",
    ],
)
def test_names_of_files_and_what_files_hold_stay(message: str) -> None:
    assert with_flags(message) == message


def flags_of(add_options: Callable[[CommandParser], None]) -> list[str]:
    parser = CommandParser()
    add_options(parser)
    return parser.flags


def test_every_flag_is_one_of_a_command() -> None:
    known = {flag for command in PROGRAM.commands for flag in flags_of(command.add_options)}
    assert set(FLAGS.values()) <= known
    for phrase in PHRASES.values():
        assert any(flag in phrase for flag in known)
