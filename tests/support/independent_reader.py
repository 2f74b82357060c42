"""A reader written from docs/format.md alone: it imports nothing of this project."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

SPLITS = ("train", "validation", "test")
EXTENSIONS = {"tfrecord": "tfrecord", "hdf5": "h5"}


@dataclasses.dataclass(frozen=True)
class StoredWindow:
    """One window; `payloads` are the bytes of its features by name."""

    recording_id: str
    first_frame: int
    valid_frames: int
    payloads: dict[str, bytes]


def canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def read_manifest(root: Path) -> dict[str, Any]:
    """`dataset.json`, whose digest and whose files' checksums agree."""
    manifest = json.loads((root / "dataset.json").read_bytes())
    assert manifest["format_version"] == 1
    rest = {key: value for key, value in manifest.items() if key != "digest"}
    assert sha256(canonical(rest)) == manifest["digest"]
    for name, entry in manifest["files"].items():
        data = (root / name).read_bytes()
        assert (sha256(data), len(data)) == (entry["sha256"], entry["nbytes"]), name
    return manifest


def shard_names(manifest: dict[str, Any], split: str, file_format: str) -> list[str]:
    count = manifest["splits"][split]["shards"]
    ending = EXTENSIONS[file_format]
    return [f"{split}/{number:05d}-of-{count:05d}.{ending}" for number in range(count)]


def read_index(root: Path, shard: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The rows of an index, and its shard report."""
    table = pq.read_table(root / f"{shard}.index.parquet")
    return table.to_pylist(), json.loads(table.schema.metadata[b"shard_report"])


def indexed_windows(root: Path, manifest: dict[str, Any], shard: str) -> Iterator[StoredWindow]:
    """The windows of a shard of either format, as its index locates them."""
    data = (root / shard).read_bytes()
    rows, report = read_index(root, shard)
    assert (report["sha256"], report["nbytes"]) == (sha256(data), len(data))
    assert report["windows"] == len(rows)
    assert report["plan_digest"] == manifest["plan_digest"]
    for row in rows:
        payloads = {}
        for name in manifest["config"]["features"]:
            payload = data[row[f"{name}_offset"] :][: row[f"{name}_length"]]
            assert crc32c(payload) == row[f"{name}_crc32c"]
            payloads[name] = payload
        yield StoredWindow(row["recording_id"], row["first_frame"], row["valid_frames"], payloads)


def record_windows(root: Path, shard: str) -> Iterator[StoredWindow]:
    """The windows of a TFRecord shard, from the file alone."""
    data = (root / shard).read_bytes()
    position = 0
    while position < len(data):
        length, length_crc = struct.unpack_from("<QI", data, position)
        assert length_crc == masked(crc32c(data[position : position + 8]))
        position += 12
        message = data[position : position + length]
        (message_crc,) = struct.unpack_from("<I", data, position + length)
        assert message_crc == masked(crc32c(message))
        position += length + 4
        yield parse_example(message)


def parse_example(message: bytes) -> StoredWindow:
    ((number, features),) = fields(message)
    assert number == 1
    values: dict[str, Any] = {}
    for number, entry in fields(features):
        assert number == 1
        (key_number, key), (value_number, feature) = fields(entry)
        assert (key_number, value_number) == (1, 2)
        ((kind, values_list),) = fields(feature)
        ((value_field, value),) = fields(values_list)
        assert value_field == 1
        decode: dict[int, Callable[[bytes], Any]]
        decode = {1: bytes, 3: lambda packed: varint(packed, 0)[0]}
        values[key.decode()] = decode[kind](value)
    assert list(values) == sorted(values)
    return StoredWindow(
        values.pop("recording_id").decode(),
        values.pop("first_frame"),
        values.pop("valid_frames"),
        values,
    )


def fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """The length-delimited fields of a protobuf message."""
    position = 0
    while position < len(message):
        tag, position = varint(message, position)
        assert tag & 7 == 2
        length, position = varint(message, position)
        yield tag >> 3, message[position : position + length]
        position += length


def varint(data: bytes, position: int) -> tuple[int, int]:
    """The number at a position, and the position behind it."""
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, position


def masked(crc: int) -> int:
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) % 2**32


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


_CRC_TABLE = _crc_table()


def crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def planned_windows(
    manifest: dict[str, Any], recordings: list[dict[str, Any]], split: str
) -> list[list[Any]]:
    """What belongs in each shard of a split: recording_id, first_frame, valid_frames; in order."""
    config = manifest["config"]
    size, stride = config["window_frames"], config["stride_frames"]
    numbered = [
        (row["recording_id"], first, min(size, row["frames"] - first))
        for row in recordings
        if row["split"] == split
        for first in range(0, row["windows"] * stride, stride)
    ]
    count, shards = len(numbered), manifest["splits"][split]["shards"]
    key = round_keys(["place", split, manifest["seed"]])
    return [
        [
            numbered[permute(position, count, key)]
            for position in range(s * count // shards, (s + 1) * count // shards)
        ]
        for s in range(shards)
    ]


def window_count(config: dict[str, Any], frames: int) -> int:
    beyond = frames - config["window_frames"]
    if config["tail"] == "drop":
        return 0 if beyond < 0 else 1 + beyond // config["stride_frames"]
    return 1 + max(0, -(-beyond // config["stride_frames"]))


def round_keys(parts: list[Any]) -> list[int]:
    digest = hashlib.blake2b(canonical(parts), digest_size=48).digest()
    return list(struct.unpack("<6Q", digest))


def permute(value: int, size: int, keys: list[int]) -> int:
    half = max(1, -(-(size - 1).bit_length() // 2))
    mask = 2**half - 1
    while True:
        left, right = value >> half, value & mask
        for key in keys:
            left, right = right, left ^ (mix(right ^ key) & mask)
        value = right << half | left
        if value < size:
            return value


def mix(x: int) -> int:
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    x = (x ^ x >> 27) * 0x94D049BB133111EB % 2**64
    return x ^ x >> 31


def plan_digest(manifest: dict[str, Any], recordings: list[dict[str, Any]]) -> str:
    keys = ("recording_id", "split", "path", "samples", "sample_rate", "channels", "windows")
    shards = [manifest["splits"][split]["shards"] for split in SPLITS]
    rows = [{key: row[key] for key in keys} for row in recordings]
    return sha256(canonical([manifest["config"], manifest["seed"], shards, rows]))


def fingerprint(root: Path, manifest: dict[str, Any], file_format: str) -> str:
    data = canonical([manifest["config"], manifest["plan_digest"]])
    for split in SPLITS:
        for shard in shard_names(manifest, split, file_format):
            for row in read_index(root, shard)[0]:
                kept = {key: value for key, value in row.items() if not key.endswith("_offset")}
                data += canonical(kept)
    return sha256(data)


def array(manifest: dict[str, Any], window: StoredWindow, name: str) -> NDArray[Any]:
    """A payload as its feature's array."""
    feature = manifest["features"][name]
    return np.frombuffer(window.payloads[name], feature["dtype"]).reshape(feature["shape"])


def piano_rolls(
    config: dict[str, Any], labels: list[dict[str, Any]], window: StoredWindow
) -> dict[str, Any]:
    """`notes` and `onsets` of a window, from the rows of its recording's label table."""
    shape = (config["window_frames"], 128)
    rolls = {name: np.zeros(shape, np.uint8) for name in ("notes", "onsets")}

    def frame(time: int) -> int:
        time = min(max(time, -(2**40)), 2**40)
        return max(0, -(-time * config["sample_rate"] // (44_100 * config["hop_length"])))

    for label in labels:
        if not 0 <= label["note"] <= 127:
            continue
        start = frame(label["start_time"])
        end = max(frame(label["end_time"]), start + 1)
        for j in range(window.valid_frames):
            if start <= window.first_frame + j < end:
                rolls["notes"][j, label["note"]] = 1
            if start == window.first_frame + j:
                rolls["onsets"][j, label["note"]] = 1
    return rolls


def statistics(manifest: dict[str, Any], windows: list[StoredWindow]) -> dict[str, Any]:
    """`count`, `total` and `total_of_squares` of some windows."""
    levels = np.concatenate(
        [array(manifest, each, "log_mel")[: each.valid_frames].astype("f8") for each in windows]
    )
    return {
        "count": len(levels),
        "total": levels.sum(axis=0),
        "total_of_squares": (levels**2).sum(axis=0),
    }
