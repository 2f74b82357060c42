"""The description of a dataset in Croissant, MLCommons' format, for search engines and loaders.

It follows https://docs.mlcommons.org/croissant/docs/croissant-spec.html, version 1.0.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.cards.croissant_records import (
    INDEXES,
    LABEL_FILES,
    SHARDS,
    Json,
    has_labels,
    record_sets,
)
from pipelines.cards.origin import origin_of
from pipelines.cards.responsible_use import responsible_use
from pipelines.cards.subject import Subject
from pipelines.cards.text import VERSION, description, title
from schemas.codecs import CODECS
from schemas.manifest import FileEntry, spelled
from schemas.shards import SPLITS

_CONFORMS_TO = (
    "http://mlcommons.org/croissant/1.0",
    "http://mlcommons.org/croissant/RAI/1.0",
)

_CONTEXT: Mapping[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""The `@context` of the specification, in which its keys are names of this vocabulary."""

_PARQUET = "application/x-parquet"
_BYTES = "application/octet-stream"
_MEDIA_TYPES = {".parquet": _PARQUET, ".h5": "application/x-hdf5", ".tfrecord": _BYTES}

_READ_AS_BYTES = [_BYTES, "text/plain"]
"""Of shards: mlcroissant returns the bytes of a file as they are if it may be read as text."""


def croissant_json(subject: Subject) -> bytes:
    """`croissant.json`: every file with its sha256, the tables and shards as records, and RAI.

    It holds no date of publication: the same dataset always has the same bytes.
    """
    origin = origin_of(subject.recordings)
    body: Json = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": list(_CONFORMS_TO),
        "name": title(origin),
        "description": description(subject),
        "version": VERSION,
        "license": origin.license_url or origin.stated_license or "unknown",
        "distribution": [
            *(_file_object(name, entry) for name, entry in subject.files.items()),
            *_file_sets(subject),
        ],
        "recordSet": list(record_sets(subject)),
        **{f"rai:{name}": text for name, text in responsible_use(subject).items()},
    }
    if origin.homepage:
        body["isBasedOn"] = origin.homepage
    if origin.citation:
        body["citeAs"] = origin.citation
    return spelled(body)


def _file_object(name: str, entry: FileEntry) -> Json:
    """A file; its `@id` is a relative IRI, in which not every character may be."""
    extension = name[name.rindex(".") :]
    return {
        "@type": "cr:FileObject",
        "@id": urllib.parse.quote(name),
        "name": name,
        "contentUrl": name,
        "contentSize": f"{entry.nbytes} B",
        "encodingFormat": _MEDIA_TYPES[extension],
        "sha256": entry.sha256,
    }


def _file_sets(subject: Subject) -> Iterator[Json]:
    extension = CODECS[subject.manifest.formats[0]].extension
    splits = [split for split in SPLITS if subject.shard_windows[split]]
    yield _file_set(SHARDS, [f"{split}/*.{extension}" for split in splits], _READ_AS_BYTES)
    yield _file_set(INDEXES, [f"{split}/*.{extension}.index.parquet" for split in splits])
    if has_labels(subject):
        yield _file_set(LABEL_FILES, ["labels/*.parquet"])


def _file_set(name: str, includes: list[str], formats: str | list[str] = _PARQUET) -> Json:
    return {
        "@type": "cr:FileSet",
        "@id": name,
        "name": name,
        "encodingFormat": formats,
        "includes": includes,
    }
