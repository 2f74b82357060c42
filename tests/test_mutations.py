import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipelines.errors import PipelineError
from pipelines.recordings.inspection import inspect_recording
from pipelines.recordings.listing import list_sources
from schemas.tables import LABELS, labels_file, table_from_bytes
from tests.support.audio_files import reader_of
from tests.support.mutations import FORMS, make_mutant, make_sound, write_mutants
from tests.support.tiny_musicnet import CONFIG


@pytest.mark.parametrize(("file_format", "subtype"), sorted(set(FORMS)))
def test_an_undamaged_sound_has_samples(file_format: str, subtype: str) -> None:
    for seed in range(3):
        assert make_sound(file_format, subtype, seed=seed).samples > 1_000


def test_a_number_makes_the_same_mutant_again() -> None:
    again = make_mutant(0, 8)
    make_sound.cache_clear()
    assert make_mutant(0, 8) == again
    assert make_mutant(1, 8) != again


def test_samples_of_damaged_files_are_where_libsndfile_finds_them() -> None:
    taken = 0
    for number in range(600):
        mutant = make_mutant(2, number)
        try:
            reader = reader_of(mutant.audio)
        except PipelineError:
            continue
        taken += 1
        expected = soundfile.read(io.BytesIO(mutant.audio), dtype="float32", always_2d=True)[0]
        with np.errstate(over="ignore", invalid="ignore"):
            expected = expected.sum(axis=1) / np.float32(expected.shape[1])
        found = reader.read(0, reader.header.samples)
        np.testing.assert_array_equal(found, expected, str(mutant))
    assert taken > 100


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_damaged_recordings_are_refused_or_used_but_raise_nothing(tmp_path: Path) -> None:
    mutants = {mutant.recording_id: mutant for mutant in (make_mutant(1, n) for n in range(60))}
    write_mutants(tmp_path, list(mutants.values()))
    sources, rejects = list_sources(str(tmp_path))
    assert [reject.reason for reject in rejects] == ["metadata_missing"]
    assert {source.recording_id for source in sources} == set(mutants)
    accepted = 0
    for source in sources:
        inspected, labels = inspect_recording(source, str(tmp_path), CONFIG)
        mutant = mutants[source.recording_id]
        assert inspected.accepted or inspected.rejects, str(mutant)
        if inspected.accepted:
            accepted += 1
            assert labels is not None
            where = labels_file(source.recording_id)
            assert table_from_bytes(labels, LABELS, where=where).num_rows == inspected.row["notes"]
            if mutant.only_cut:
                assert inspected.row["samples"] >= mutant.sound.samples, str(mutant)
    assert 0 < accepted < len(mutants)
