"""Random damage to a small dataset: all of it is found, and the windows that it concerns named.

`DAMAGES` in the environment says how many damages of each kind are tried (60).
"""

import dataclasses
import json
import os
import random
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from pipelines.verification.verify import Verification, verify
from schemas import Dataset
from schemas.manifest import MANIFEST_FILE
from schemas.shards import SPLITS, index_file
from schemas.tables import RECORDINGS_FILE
from tests.support.tiny_musicnet import Tiny, write_tiny_musicnet

DAMAGES = int(os.environ.get("DAMAGES", "60"))

FEATURES = {
    "sample_rate": 8_000,
    "fmax": 4_000,
    "n_fft": 128,
    "win_length": 128,
    "hop_length": 64,
    "n_mels": 8,
    "window_frames": 8,
    "stride_frames": 6,
    "tail": "drop",
}

RECORDINGS = (
    Tiny("101", work="A", seconds=0.35),
    Tiny("102", work="B", seconds=0.2),
    Tiny("103", work="C", seconds=0.22),
    Tiny("201", group="test", work="D", seconds=0.22),
)

Windows = frozenset[tuple[str, int]]
Changes = dict[str, bytes | None]
"""New contents of files; None where one is removed."""


@dataclasses.dataclass(frozen=True)
class Sound:
    """The dataset before it is damaged.

    `windows` are each shard's, in file order; `payloads` the byte ranges of each one's features.
    """

    root: Path
    files: Mapping[str, bytes]
    windows: Mapping[str, list[tuple[str, int]]]
    payloads: Mapping[str, list[list[tuple[int, int]]]]

    def shards(self, file_format: str) -> list[str]:
        extension = {"tfrecord": ".tfrecord", "hdf5": ".h5"}[file_format]
        return [name for name in self.windows if name.endswith(extension)]

    def ranges(self, shard: str) -> list[list[tuple[int, int]]]:
        """What each window's bytes are: a record of a TFRecord file, payloads of an HDF5 file."""
        if shard in self.shards("hdf5"):
            return self.payloads[shard]
        return [[each] for each in records(self.files[shard])]


def records(data: bytes) -> list[tuple[int, int]]:
    """The records of a TFRecord file, first byte and one past the last."""
    found, start = [], 0
    while start < len(data):
        (length,) = struct.unpack_from("<Q", data, start)
        found.append((start, start + 8 + 4 + length + 4))
        start = found[-1][1]
    return found


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Sound:
    """A few shards a split in both formats; some windows and a recording were rejected."""
    folder = tmp_path_factory.mktemp("damage")
    recordings = write_tiny_musicnet(folder / "in", RECORDINGS)
    audio = recordings / "train_data"
    samples, rate = soundfile.read(audio / "101.wav", dtype="float32")
    samples[9_000:9_100] = np.nan
    soundfile.write(audio / "101.wav", samples, rate, subtype="FLOAT", format="WAV")
    (audio / "104.wav").write_bytes(b"no audio")
    features, root = folder / "features.json", folder / "dataset"
    features.write_text(json.dumps(FEATURES))
    command = [sys.executable, "-m", "pipelines", "preprocess", "--input", str(recordings),
               "--output", str(root), "--config", str(features), "--format", "both",
               "--shard-mb", "0.013"]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    dataset = Dataset(root)
    windows, payloads = {}, {}
    for file_format in dataset.manifest.formats:
        for split in SPLITS:
            for shard in dataset.shards(split, file_format):
                rows = dataset.index(shard).table.to_pylist()
                windows[shard] = [(row["recording_id"], row["first_frame"]) for row in rows]
                payloads[shard] = [
                    [
                        (row[f"{name}_offset"], row[f"{name}_offset"] + row[f"{name}_length"])
                        for name in dataset.config.features
                    ]
                    for row in rows
                ]
    files = {name: (root / name).read_bytes() for name in dataset.storage.list_files()}
    return Sound(root, files, windows, payloads)


# Damages. Each chooses a place at random and returns what the files then hold.


def a_bit_of_any_file(rng: random.Random, sound: Sound) -> Changes:
    name = rng.choice(sorted(sound.files))
    return {name: flipped(sound.files[name], [rng.randrange(len(sound.files[name]))], rng)}


def a_bit_of_a_tfrecord_feature(rng: random.Random, sound: Sound) -> Changes:
    return a_bit_of_a_feature(rng, sound, "tfrecord")


def a_bit_of_an_hdf5_feature(rng: random.Random, sound: Sound) -> Changes:
    return a_bit_of_a_feature(rng, sound, "hdf5")


def a_bit_of_a_feature(rng: random.Random, sound: Sound, file_format: str) -> Changes:
    shard = rng.choice(sound.shards(file_format))
    place = rng.randrange(*rng.choice(rng.choice(sound.payloads[shard])))
    return {shard: flipped(sound.files[shard], [place], rng)}


def a_bit_of_a_tfrecord_frame(rng: random.Random, sound: Sound) -> Changes:
    return a_bit_between_features(rng, sound, "tfrecord")


def a_bit_of_hdf5_structure(rng: random.Random, sound: Sound) -> Changes:
    return a_bit_between_features(rng, sound, "hdf5")


def a_bit_between_features(rng: random.Random, sound: Sound, file_format: str) -> Changes:
    shard = rng.choice(sound.shards(file_format))
    between = np.ones(len(sound.files[shard]), bool)
    for start, stop in (each for window in sound.payloads[shard] for each in window):
        between[start:stop] = False
    place = int(rng.choice(np.flatnonzero(between)))
    return {shard: flipped(sound.files[shard], [place], rng)}


def bits_of_two_windows(rng: random.Random, sound: Sound) -> Changes:
    shard = rng.choice([name for name, windows in sound.windows.items() if len(windows) > 1])
    places = [rng.randrange(*rng.choice(each)) for each in rng.sample(sound.ranges(shard), 2)]
    return {shard: flipped(sound.files[shard], places, rng)}


def bytes_overwritten(rng: random.Random, sound: Sound) -> Changes:
    name = rng.choice(sorted(sound.files))
    return {name: overwritten(sound.files[name], rng, lambda: rng.randbytes(rng.randint(1, 64)))}


def bytes_zeroed(rng: random.Random, sound: Sound) -> Changes:
    name = rng.choice(sorted(sound.files))
    return {name: overwritten(sound.files[name], rng, lambda: bytes(rng.randint(1, 4_096)))}


def a_file_cut_short(rng: random.Random, sound: Sound) -> Changes:
    name = rng.choice(sorted(sound.files))
    return {name: sound.files[name][: rng.randrange(len(sound.files[name]))]}


def bytes_appended(rng: random.Random, sound: Sound) -> Changes:
    name = rng.choice(sorted(sound.files))
    more = rng.choice([b"\n", b"\0", rng.randbytes(rng.randint(1, 5_000))])
    return {name: sound.files[name] + more}


def bytes_put_in(rng: random.Random, sound: Sound) -> Changes:
    shard = rng.choice(sorted(sound.windows))
    data = sound.files[shard]
    place = rng.randrange(len(data))
    return {shard: data[:place] + rng.randbytes(rng.randint(1, 64)) + data[place:]}


def bytes_taken_out(rng: random.Random, sound: Sound) -> Changes:
    shard = rng.choice(sorted(sound.windows))
    data = sound.files[shard]
    place = rng.randrange(len(data))
    return {shard: data[:place] + data[place + rng.randint(1, 64) :]}


def two_records_swapped(rng: random.Random, sound: Sound) -> Changes:
    shards = [name for name in sound.shards("tfrecord") if len(sound.windows[name]) > 1]
    shard = rng.choice(shards)
    data = sound.files[shard]
    parts = [data[start:stop] for start, stop in records(data)]
    first, second = rng.sample(range(len(parts)), 2)
    parts[first], parts[second] = parts[second], parts[first]
    return {shard: b"".join(parts)}


def two_shards_swapped(rng: random.Random, sound: Sound) -> Changes:
    first, second = rng.sample(sound.shards(rng.choice(["tfrecord", "hdf5"])), 2)
    return {first: sound.files[second], second: sound.files[first]}


def two_tables_swapped(rng: random.Random, sound: Sound) -> Changes:
    tables = sorted(name for name in sound.files if name.endswith(".parquet"))
    first, second = rng.sample(tables, 2)
    return {first: sound.files[second], second: sound.files[first]}


def another_file_in_its_place(rng: random.Random, sound: Sound) -> Changes:
    name, other = rng.sample(sorted(sound.files), 2)
    return {name: sound.files[other]}


def a_file_deleted(rng: random.Random, sound: Sound) -> Changes:
    return {rng.choice(sorted(sound.files)): None}


def a_file_added(rng: random.Random, sound: Sound) -> Changes:
    folder = rng.choice(["", "train/", "labels/", "more/"])
    extension = rng.choice(["", ".tfrecord", ".h5", ".parquet", ".json"])
    content = rng.choice([b"", rng.choice(list(sound.files.values()))])
    return {f"{folder}{rng.randrange(10**6)}{extension}": content}


def the_manifest_edited(rng: random.Random, sound: Sound) -> Changes:
    """One value is another; the digest stays, or is the value."""
    body = json.loads(sound.files[MANIFEST_FILE])
    holder, key = rng.choice(list(leaves(body)))
    value = holder[key]
    holder[key] = value + "x" if isinstance(value, str) else value + 1
    return {MANIFEST_FILE: json.dumps(body, indent=1, sort_keys=True).encode() + b"\n"}


def the_manifest_spelled_otherwise(rng: random.Random, sound: Sound) -> Changes:
    """It says the same, and its digest is right."""
    data = sound.files[MANIFEST_FILE]
    blanks = [
        place for place, byte in enumerate(data) if byte in b" \n" and data[place - 1] in b":{,"
    ]
    place = rng.choice(blanks)
    return {MANIFEST_FILE: data[:place] + rng.choice([b" ", b"\n", b"\t"]) + data[place:]}


KINDS: tuple[Callable[[random.Random, Sound], Changes], ...] = (
    a_bit_of_any_file,
    a_bit_of_a_tfrecord_feature,
    a_bit_of_a_tfrecord_frame,
    a_bit_of_an_hdf5_feature,
    a_bit_of_hdf5_structure,
    bits_of_two_windows,
    bytes_overwritten,
    bytes_zeroed,
    a_file_cut_short,
    bytes_appended,
    bytes_put_in,
    bytes_taken_out,
    two_records_swapped,
    two_shards_swapped,
    two_tables_swapped,
    another_file_in_its_place,
    a_file_deleted,
    a_file_added,
    the_manifest_edited,
    the_manifest_spelled_otherwise,
)


def flipped(data: bytes, places: list[int], rng: random.Random) -> bytes:
    changed = bytearray(data)
    for place in places:
        changed[place] ^= 1 << rng.randrange(8)
    return bytes(changed)


def overwritten(data: bytes, rng: random.Random, more: Callable[[], bytes]) -> bytes:
    """With other bytes at some place, drawn again where they happen to be those that are there."""
    changed = data
    while changed == data:
        place, new = rng.randrange(len(data)), more()
        changed = (data[:place] + new + data[place + len(new) :])[: len(data)]
    return changed


def leaves(value: Any) -> Iterator[tuple[Any, str | int]]:
    """Where the strings and numbers of a JSON value stand: what holds each, and under which key."""
    for key, each in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(each, dict | list):
            yield from leaves(each)
        elif each is not None:
            yield value, key


# What is to be found.


def concerned(sound: Sound, name: str, data: bytes | None) -> Windows | None:
    """The windows that are concerned when a file holds `data`; None for every window.

    Of a shard, those whose bytes are others; where all of these are as they were, but not what
    lies between the features of an HDF5 file, all that are in it.
    """
    if name in (MANIFEST_FILE, RECORDINGS_FILE):
        return None
    if name.startswith("labels/") and name in sound.files:
        every = {window for windows in sound.windows.values() for window in windows}
        return frozenset(window for window in every if f"labels/{window[0]}.parquet" == name)
    of_index = {index_file(shard): frozenset(each) for shard, each in sound.windows.items()}
    if name in of_index:
        return of_index[name]
    if name not in sound.windows:
        return frozenset()
    whole = sound.files[name]
    if data is None or data in sound.files.values():
        return frozenset(sound.windows[name])
    changed = frozenset(
        window
        for window, ranges in zip(sound.windows[name], sound.ranges(name), strict=True)
        if any(data[start:stop] != whole[start:stop] for start, stop in ranges)
    )
    only_longer = data.startswith(whole)
    return changed if changed or only_longer else frozenset(sound.windows[name])


def named(found: Verification, name: str) -> Windows | None:
    """The windows that a verification names for a file; None for every window."""
    own = [defect.windows for defect in found.defects if defect.file == name]
    if None in own:
        return None
    return frozenset(window for windows in own for window in windows or ())


def put(root: Path, changes: Mapping[str, bytes | None]) -> None:
    for name, data in changes.items():
        if data is None:
            (root / name).unlink()
        else:
            (root / name).parent.mkdir(exist_ok=True)
            (root / name).write_bytes(data)


def test_all_damage_is_found_and_the_windows_it_concerns_are_named(sound: Sound) -> None:
    splits = Dataset(sound.root).manifest.splits
    assert all(splits[split].shards > 1 for split in SPLITS)
    before = verify(str(sound.root))
    assert before.defects == ()
    assert before.samples is not None
    assert before.samples.balances
    assert min(before.samples.stored, before.samples.rejected, before.samples.dropped) > 0
    assert before.rejected_recordings == 1
    counts: Counter[tuple[str, str]] = Counter()
    failures = []
    started = time.perf_counter()
    for kind in KINDS:
        for number in range(DAMAGES):
            changes = kind(random.Random(f"{kind.__name__} {number}"), sound)
            put(sound.root, changes)
            found = verify(str(sound.root))
            put(sound.root, {name: sound.files.get(name) for name in changes})
            expected = {name: concerned(sound, name, data) for name, data in changes.items()}
            results = {
                "damages": True,
                "found": bool(found.defects),
                "file named": {defect.file for defect in found.defects} == set(changes),
                "windows named": {name: named(found, name) for name in changes} == expected,
            }
            counts.update((kind.__name__, result) for result in results if results[result])
            if not all(results.values()):
                failures.append((kind.__name__, number, sorted(changes), found.defects, expected))
    seconds = time.perf_counter() - started
    print(table(counts), f"{seconds:.0f} s", sep="\n")
    assert verify(str(sound.root)) == before
    assert not failures, failures[:3]


def table(counts: Counter[tuple[str, str]]) -> str:
    """A row per kind of damage."""
    columns = ("damages", "found", "file named", "windows named")
    rows: list[tuple[Any, ...]] = [
        (kind.__name__, *(counts[kind.__name__, each] for each in columns)) for kind in KINDS
    ]
    totals = ("all", *(sum(row[place] for row in rows) for place in range(1, len(columns) + 1)))
    return "\n".join(
        f"{row[0]:<28}" + "".join(f"{each:>15}" for each in row[1:])
        for row in (("damage", *columns), *rows, totals)
    )
