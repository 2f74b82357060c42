"""What a dataset holds as Croissant's sets of records: its tables, its windows and its shards.

Croissant has no names for TFRecord and HDF5. A shard is a record whose content is its bytes, and
the record of a window says where in them its features are.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.cards.subject import Subject
from pipelines.cards.text import unit_of
from schemas.shards import SPLITS
from schemas.tables import LABELS, RECORDINGS, RECORDINGS_FILE, index_schema, labeled_recording

Json = dict[str, Any]

SHARDS, INDEXES, LABEL_FILES = "shard-files", "index-files", "label-files"
"""The sets of files that records are read from."""

_TYPES = {
    pa.string(): "sc:Text",
    pa.int32(): "cr:Int32",
    pa.int64(): "cr:Int64",
    pa.uint32(): "cr:UInt32",
    pa.float64(): "cr:Float64",
}

_ANY_SPLIT = f"({'|'.join(SPLITS)})"


def has_labels(subject: Subject) -> bool:
    """Whether any recording has a table of notes."""
    return any(labeled_recording(name) is not None for name in subject.files)


def record_sets(subject: Subject) -> Iterator[Json]:
    """The tables and the shards of a dataset, as sets of records."""
    specs = subject.manifest.config.specs()
    recordings = {"fileObject": {"@id": RECORDINGS_FILE}}
    yield _record_set(
        "recordings",
        "A record per recording; null is what could not be learned of a rejected one.",
        [_column("recordings", name, kind, recordings) for name, kind in _named(RECORDINGS)],
    )
    indexes = {"fileSet": {"@id": INDEXES}}
    fields = [
        _field("windows", "split", "sc:Text", _path(indexes, f"^{_ANY_SPLIT}/.*$")),
        _field("windows", "shard", "sc:Text", _path(indexes, r"^(.*)\.index\.parquet$")),
    ]
    for name, kind in _named(index_schema(specs)):
        feature, _, what = name.rpartition("_")
        text = ""
        if feature in specs and what == "offset":
            spec = specs[feature]
            text = (
                f"Where the array {feature} starts in the shard, in bytes: shape "
                f"{list(spec.shape)}, {np.dtype(spec.dtype).name}, little-endian, in C order; "
                f"unit: {unit_of(spec)}."
            )
        fields.append(_column("windows", name, kind, indexes, text))
    yield _record_set(
        "windows",
        "A record per window: its split, its shard, and where in the shard each feature is.",
        fields,
    )
    shards = {"fileSet": {"@id": SHARDS}}
    yield _record_set(
        "shards",
        "A record per shard: its name and its bytes.",
        [
            _field("shards", "shard", "sc:Text", _path(shards, "^(.*)$")),
            _field("shards", "content", "sc:Text", _extracted(shards, fileProperty="content")),
        ],
    )
    if has_labels(subject):
        labels = {"fileSet": {"@id": LABEL_FILES}}
        yield _record_set(
            "labels",
            "A record per note; the file is named after the recording, percent-encoded.",
            [
                _field("labels", "file", "sc:Text", _path(labels, "^(.*)$")),
                *(_column("labels", name, kind, labels) for name, kind in _named(LABELS)),
            ],
        )


def _named(schema: pa.Schema) -> list[tuple[str, str]]:
    return [(field.name, _TYPES[field.type]) for field in schema]


def _record_set(name: str, text: str, fields: list[Json]) -> Json:
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": text,
        "field": fields,
    }


def _column(records: str, name: str, kind: str, source: Json, text: str = "") -> Json:
    return _field(records, name, kind, _extracted(source, column=name), text)


def _field(records: str, name: str, kind: str, source: Json, text: str = "") -> Json:
    field = {
        "@type": "cr:Field",
        "@id": f"{records}/{name}",
        "name": name,
        "dataType": kind,
        "source": source,
    }
    return {**field, "description": text} if text else field


def _extracted(source: Json, **what: str) -> Json:
    return {**source, "extract": what}


def _path(source: Json, regex: str) -> Json:
    """The first group of a pattern that matches the path of a file in the dataset."""
    return {**_extracted(source, fileProperty="fullpath"), "transform": {"regex": regex}}
