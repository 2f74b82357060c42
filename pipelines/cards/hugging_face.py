"""The dataset card of the Hugging Face Hub, with which `datasets.load_dataset` finds the windows.

Without its `configs`, `load_dataset` takes the indexes of the shards, which are Parquet files,
for the data. The keys are those of https://huggingface.co/docs/hub/datasets-cards.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from pipelines.cards.origin import Origin, origin_of
from pipelines.cards.recipe import SETTINGS_FILE, command, settings
from pipelines.cards.subject import Subject
from pipelines.cards.text import description, title, unit_of
from pipelines.planning.splits import works_in_several_splits
from schemas import FeatureSpec
from schemas.names import README_START
from schemas.rejects import printable
from schemas.shards import SPLITS
from schemas.tables import RECORDINGS_FILE
from schemas.works import has_work

_SPECIAL = r"\`*_{}[]<>#|~"
"""Characters that mean something to Markdown."""


def readme(subject: Subject) -> bytes:
    """`README.md`: YAML for the Hub and for `load_dataset`, then text for people."""
    origin = origin_of(subject.recordings)
    parts = [
        README_START.decode() + "".join(f"{line}\n" for line in _front_matter(subject, origin)),
        f"# {title(origin)}",
        description(subject),
        "## Splits",
        _splits_table(subject),
        *_shared_works(subject),
        "## Features",
        _features_table(subject),
        "## How it was made",
        *_recipe(subject),
        "## License",
        origin.terms,
    ]
    if origin.citation:
        parts += ["## Citation", f"```bibtex\n{origin.citation}\n```"]
    return "\n\n".join(part.rstrip("\n") for part in parts).encode() + b"\n"


def _front_matter(subject: Subject, origin: Origin) -> Iterator[str]:
    """The lines of the YAML; a JSON text is one in YAML, too."""
    yield f"pretty_name: {title(origin)}"
    if origin.license:
        yield f"license: {origin.license.lower()}"
    elif origin.stated_license:
        yield "license: other"
        yield f"license_name: {json.dumps(origin.stated_license)}"
    else:
        yield "license: unknown"
    yield "tags: [audio, music]"
    yield "configs:"
    splits = [split for split in SPLITS if any(subject.shard_windows[split])]
    if "hdf5" in subject.manifest.formats and splits:
        yield "- config_name: windows"
        yield "  data_files:"
        for split in splits:
            yield f"  - split: {split}"
            yield f'    path: "{split}/*.h5"'
        yield "dataset_info:"
        yield "- config_name: windows"
        yield "  features:"
        # Without them, ids would be bytes.
        yield from _named("recording_id", "dtype: string")
        yield from _named("first_frame", "dtype: int64")
        yield from _named("valid_frames", "dtype: int32")
        for spec in subject.manifest.config.specs().values():
            yield from _named(spec.name, *_type_lines(spec))
    else:
        # There is nothing else that `load_dataset` reads, and it would read the indexes.
        yield "- config_name: recordings"
        yield "  data_files:"
        yield "  - split: recordings"
        yield f"    path: {RECORDINGS_FILE}"
    yield "---"


def _named(name: str, *lines: str) -> Iterator[str]:
    yield f"  - name: {name}"
    yield from (f"    {line}" for line in lines)


def _type_lines(spec: FeatureSpec) -> list[str]:
    """The YAML of a feature's type; an array of one dimension is a list of a fixed length."""
    dtype = np.dtype(spec.dtype).name
    if len(spec.shape) == 1:
        return [f"list: {dtype}", f"length: {spec.shape[0]}"]
    rank, shape = len(spec.shape), list(spec.shape)
    return ["dtype:", f"  array{rank}_d:", f"    shape: {shape}", f"    dtype: {dtype}"]


def _splits_table(subject: Subject) -> str:
    rows = []
    for split, summary in subject.manifest.splits.items():
        own = [row for row in subject.recordings if row["split"] == split]
        seconds = sum((row["samples"] or 0) / (row["sample_rate"] or 1) for row in own)
        rows.append(
            [split, f"{summary.windows:,}", f"{summary.recordings:,}", f"{seconds / 60:,.1f}"]
        )
    return _table(["split", "windows", "recordings", "minutes"], rows)


def _shared_works(subject: Subject) -> Iterator[str]:
    shared = works_in_several_splits(subject.recordings)
    unknown = sum(not has_work(row) for row in subject.recordings if row["split"])
    if shared:
        yield (
            "These works have recordings in more than one split, so that a model may know a test "
            "recording's music from training:"
        )
        rows = [
            map(_escaped, [each["work"], *(" ".join(each.get(split, [])) for split in SPLITS)])
            for each in shared
        ]
        yield _table(["work", *SPLITS], rows)
    else:
        yield "No work that the metadata name has recordings in more than one split."
    if unknown:
        yield (
            f"The metadata do not name the work of {unknown:,} recordings, so that splits may "
            "share works unnoticed."
        )


def _features_table(subject: Subject) -> str:
    specs = subject.manifest.config.specs().values()
    rows = [
        [f"`{spec.name}`", f"`{list(spec.shape)}`", np.dtype(spec.dtype).name, unit_of(spec)]
        for spec in specs
    ]
    rows += [
        ["`recording_id`", "scalar", "string", "the recording that the window is cut from"],
        ["`first_frame`", "scalar", "int64", "the window's first frame in the recording"],
        [
            "`valid_frames`",
            "scalar",
            "int32",
            "frames before the recording's end; the rest is padding",
        ],
    ]
    return _table(["feature", "shape", "dtype", "unit or meaning"], rows)


def _recipe(subject: Subject) -> Iterator[str]:
    manifest = subject.manifest
    yield f"```sh\n{command(manifest)}\n```"
    if text := settings(manifest.config):
        yield f"`{SETTINGS_FILE}`:"
        yield f"```json\n{text}\n```"
    yield (
        "The command may also have had `--shard-mb`, `--max-rejects`, `--works`, and `--splits` "
        f"or `--test-split`, which a dataset does not record; `{RECORDINGS_FILE}` has the split of "
        "each recording."
    )
    packages = ", ".join(f"{name} {version}" for name, version in manifest.packages.items())
    yield f"The fingerprint of the data is `{manifest.fingerprint}`." + (
        f" The packages that wrote it: {packages}." if packages else ""
    )


def _table(header: Sequence[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _escaped(text: str) -> str:
    """One line of text; Markdown shows each of its characters."""
    return "".join(f"\\{each}" if each in _SPECIAL else each for each in printable(text))
