from argparse import ArgumentTypeError
from collections.abc import Callable
from typing import Any

import pytest

from musicnet_duet.arguments import (
    count,
    did_you_mean,
    integer,
    local_path,
    natural,
    number_between,
    one_of,
    path,
    path_ending_in,
    positions,
    positive,
    positive_megabytes,
    seed_31_bits,
    some_of,
)


@pytest.mark.parametrize(
    ("parse", "text", "meant"),
    [
        (path, "a b", "a b"),
        (path_ending_in(".wav"), "x/Y.WAV", "x/Y.WAV"),
        (integer, "-3", -3),
        (count, "1", 1),
        (natural, "0", 0),
        (seed_31_bits, "2147483647", 2**31 - 1),
        (positive, "1e-3", 0.001),
        (positive_megabytes, "0.000001", 1e-6),
        (number_between(0, 1), "0", 0.0),
        (number_between(0, 10, above=True), "10", 10.0),
        (one_of(("gru", "lstm")), "gru", "gru"),
        (some_of(("notes", "onsets")), "onsets, notes", ("onsets", "notes")),
        (positions, "0,12", (0, 12)),
    ],
)
def test_a_value_is_read(parse: Callable[[str], Any], text: str, meant: object) -> None:
    assert parse(text) == meant


@pytest.mark.parametrize(
    ("parse", "text", "message"),
    [
        (path, "", "the path is empty"),
        (path_ending_in(".wav"), "x.mp3", "'x.mp3' is not the name of a .wav file"),
        (path_ending_in(".wav"), "x/.wav", "'x/.wav' is not the name of a .wav file"),
        (path_ending_in(".wav"), "wav", "'wav' is not the name of a .wav file"),
        (
            path_ending_in(".wav"),
            "gs://b/x.wav",
            "'gs://b/x.wav' is a URL; this must be on",
        ),
        (path_ending_in(".wav"), "", "the path is empty"),
        (local_path, "s3://b/run", "'s3://b/run' is a URL"),
        (integer, "1.5", "'1.5' is not an integer"),
        (count, "0", "0 must be a positive integer"),
        (count, "nan", "'nan' is not an integer"),
        (natural, "-1", "-1 must be 0 or more"),
        (seed_31_bits, "2147483648", "must be at most 2147483647"),
        (positive, "0", "0 must be a positive number"),
        (positive, "inf", "inf is not a finite number"),
        (positive, "nan", "nan is not a finite number"),
        (positive, "fast", "'fast' is not a number"),
        (positive_megabytes, "1e-7", "must be a positive number of megabytes"),
        (positive_megabytes, "1e308", "must be a positive number of megabytes"),
        (number_between(0, 1), "1.1", "1.1 must be from 0 to 1"),
        (number_between(0, 10, above=True), "0", "0 must be above 0 and at most 10"),
        (one_of(("gru", "lstm")), "lst", "'lst' is not one of gru, lstm; did you mean lstm?"),
        (some_of(("notes", "onsets")), "notes,notes", "names one of them twice"),
        (some_of(("notes", "onsets")), "", "'' is not one of notes, onsets"),
        (positions, "1,x", "'1,x' is not a list of positions"),
        (positions, "-1", "'-1' is not a list of positions"),
    ],
)
def test_an_impossible_value_is_explained(
    parse: Callable[[str], Any], text: str, message: str
) -> None:
    with pytest.raises(ArgumentTypeError) as raised:
        parse(text)
    assert message in str(raised.value)


def test_only_a_word_that_is_alike_is_suggested() -> None:
    assert did_you_mean("--wokers", ["--seed", "--workers"]) == "; did you mean --workers?"
    assert did_you_mean("--nonsense", ["--seed", "--workers"]) == ""
