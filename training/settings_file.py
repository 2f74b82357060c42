"""Settings from a YAML or JSON file, such as a run's own run.json."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Mapping
from typing import Any

import yaml

from musicnet_duet.arguments import did_you_mean
from schemas import Storage
from training.errors import TrainingError
from training.runs import FACTS, VERSION
from training.settings import DERIVED, FUNCTION, SECTIONS, Given, check, names_of
from training.validation import shown

ENDINGS = (".yaml", ".yml", ".json")

Lines = Mapping[tuple[str, ...], int]
"""The lines of keys, counted from 1; empty where the parser does not know them."""


class _Loader(yaml.SafeLoader):
    """YAML of plain values, in which `4e-3` is a number, as in YAML 1.2 and in JSON."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)[eE][-+]?\d+$"),
    list("-+.0123456789"),
)


def read_settings(path: str) -> Given:
    """The settings that a file gives, each checked, by section and name.

    What a run's own file says of its dataset and its packages is left out. Raises `TrainingError`,
    with the file, the setting and its line, for what cannot be read and for what is no setting;
    `DatasetError` where there is no file.
    """
    folder, name = os.path.split(path)
    if not name.lower().endswith(ENDINGS):
        raise TrainingError(f"{path}: must be a file whose name ends in {', '.join(ENDINGS)}")
    try:
        text = Storage(folder or ".").read_bytes(name).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TrainingError(f"{path}: is not UTF-8: {error.reason}; save it as UTF-8") from None
    parse = _parse_json if name.lower().endswith(".json") else _parse_yaml
    values, lines = parse(text, path)
    return _settings(values, lines, path)


def _settings(values: Any, lines: Lines, path: str) -> dict[str, dict[str, Any]]:
    def where(*keys: str) -> str:
        return f"{path}: line {lines[keys]}" if keys in lines else path

    sections = _mapping(values, path, "the file", SECTIONS)
    for section in sections:
        if section not in (*SECTIONS, *FACTS):
            raise _unknown(where(str(section)), section, SECTIONS)
    if sections.get("version", VERSION) != VERSION:
        raise TrainingError(
            f"{where('version')}: has version {shown(sections['version'])} of a run's format, and "
            f"this is version {VERSION}; remove version, and check the settings"
        )
    found: dict[str, dict[str, Any]] = {}
    for section in SECTIONS:
        given = _mapping(sections.get(section), where(section), section, names_of(section))
        for name, value in given.items():
            if name not in (*names_of(section), *DERIVED.get(section, ())):
                raise _unknown(where(section, str(name)), name, names_of(section), f"{section}.")
            try:
                check(section, name, value)
            except TrainingError as error:
                raise TrainingError(f"{where(section, name)}: {section}.{error}") from None
        found[section] = dict(given)
    seed = found["training"].get("seed", 0)
    if found["model"].get("seed", seed) != seed:
        raise TrainingError(
            f"{where('model', 'seed')}: model.seed is {found['model']['seed']} and training.seed "
            f"{seed}; a model has the seed of its training, so leave out model.seed"
        )
    others = [name for name in found["model"] if name not in (FUNCTION, *DERIVED["model"])]
    if others and FUNCTION in found["model"]:
        raise TrainingError(
            f"{where('model', others[0])}: model.{others[0]} does not go with model.{FUNCTION}, "
            "which makes its own layers; remove one of them"
        )
    return {section: _without(found[section], DERIVED.get(section, ())) for section in found}


def _without(values: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in names}


def _mapping(values: Any, where: str, what: str, names: Collection[str]) -> Mapping[Any, Any]:
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise TrainingError(
            f"{where}: {what} holds {shown(values)} instead of names and their values; the names "
            f"are {', '.join(names)}"
        )
    return values


def _unknown(where: str, name: Any, names: Collection[str], prefix: str = "") -> TrainingError:
    plain, kind = _one_line(name), "setting" if prefix else "section"
    known = did_you_mean(plain, names) or f"; choose from {', '.join(names)}"
    return TrainingError(f"{where}: {prefix}{plain} is not a {kind}{known}")


def _parse_json(text: str, path: str) -> tuple[Any, Lines]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        for name in names:
            if names.count(name) > 1:
                raise _twice(path, name)
        return dict(pairs)

    try:
        return json.loads(text, object_pairs_hook=unique), {}
    except json.JSONDecodeError as error:
        raise TrainingError(
            f"{path}: line {error.lineno}, column {error.colno}: is not JSON: {error.msg}; correct "
            "it there"
        ) from None
    except (ValueError, RecursionError) as error:
        raise TrainingError(f"{path}: is not JSON: {_one_line(error)}; correct it") from None


def _parse_yaml(text: str, path: str) -> tuple[Any, Lines]:
    try:
        lines = _lines(yaml.compose(text, Loader=_Loader), path)
        return yaml.load(text, Loader=_Loader), lines
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        at = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise TrainingError(f"{path}: {at}is not YAML: {error.problem}; correct it there") from None
    except (yaml.YAMLError, ArithmeticError, AttributeError, LookupError, ValueError) as error:
        # PyYAML raises the others for a value that does not fit its tag.
        raise TrainingError(f"{path}: is not YAML: {_one_line(error)}; correct it") from None
    except RecursionError:
        raise TrainingError(f"{path}: is not YAML: is nested too deeply; correct it") from None


def _lines(node: Any, path: str, *around: str) -> dict[tuple[str, ...], int]:
    """The lines of the keys of a document, and of the keys of its sections."""
    found: dict[tuple[str, ...], int] = {}
    if not isinstance(node, yaml.MappingNode) or len(around) == 2:
        return found
    for key, value in node.value:
        keys = (*around, str(key.value))
        line = key.start_mark.line + 1
        if keys in found:
            raise _twice(f"{path}: line {line}", keys[-1])
        found[keys] = line
        found.update(_lines(value, path, *keys))
    return found


def _twice(where: str, name: str) -> TrainingError:
    return TrainingError(f"{where}: {shown(name)} is given twice; remove one of them")


def _one_line(value: object) -> str:
    return " ".join(str(value).split())[:200]
