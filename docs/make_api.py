"""Writes docs/api.md from the docstrings of the public names: python docs/make_api.py"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import griffe

ROOT = Path(__file__).parents[1]
PAGE = Path(__file__).with_name("api.md")
PACKAGES = ("schemas", "pipelines", "training")

_HEAD = """\
# API reference

This page documents the names that the packages export. Everything else may change without notice.
The examples run in the tests, in a folder that holds `musicnet`, recordings in MusicNet's layout,
`dataset`, which `preprocess` made of them, and `run`, which `train` made on that dataset.
`python docs/make_api.py` generates this page from the docstrings.
"""
_GOOGLE = {"returns_multiple_items": False, "returns_named_value": False, "warnings": False}
_TITLES = {"parameters": "Args", "attributes": "Attributes", "raises": "Raises"}


def public_names(package: str) -> dict[str, griffe.Object]:
    """What a package exports, by name; found in its source text, without importing it."""
    module = griffe.load(package, search_paths=[ROOT], allow_inspection=False)
    return {name: _target(module[name]) for name in map(str, module.exports or [])}


def sections_of(documented: griffe.Object) -> list[griffe.DocstringSection]:
    """The parts of a docstring in Google's style; none where there is no docstring."""
    docstring = documented.docstring
    return docstring.parse("google", **_GOOGLE) if docstring else []


def page() -> str:
    """The whole page, as Markdown."""
    parts = [_HEAD]
    for package in PACKAGES:
        names = public_names(package)
        module = griffe.load(package, search_paths=[ROOT], allow_inspection=False)
        first = module.docstring.value.partition("\n\n")[0] if module.docstring else ""
        parts += [f"## {package}", first, _contents(names)]
        for name, found in names.items():
            parts += _entry(name, found)
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _target(found: griffe.Object | griffe.Alias) -> griffe.Object:
    return found.final_target if isinstance(found, griffe.Alias) else found


def _contents(names: dict[str, griffe.Object]) -> str:
    rows = [f"| [`{name}`](#{name.lower()}) | {_summary(found)} |" for name, found in names.items()]
    return "\n".join(["| name | |", "|---|---|", *rows])


def _summary(found: griffe.Object) -> str:
    """The first sentence."""
    text = " ".join(found.docstring.value.partition("\n\n")[0].split()) if found.docstring else ""
    return text.partition(". ")[0].rstrip(".:")


def _entry(name: str, found: griffe.Object) -> Iterator[str]:
    yield f"### {name}"
    yield f"```python\n{_signature(name, found)}\n```"
    yield from _documentation(found)
    if isinstance(found, griffe.Class):
        for member in _public_members(found):
            yield f"#### {name}.{member.name}"
            yield f"```python\n{_signature(member.name, member)}\n```"
            yield from _documentation(member)


def _public_members(found: griffe.Class) -> Iterable[griffe.Object]:
    for name, member in found.members.items():
        documented = not member.is_alias and member.has_docstring
        is_field = member.is_attribute and "property" not in member.labels
        if documented and not name.startswith("_") and not is_field:
            yield _target(member)


def _signature(name: str, found: griffe.Object) -> str:
    if isinstance(found, griffe.Function):
        decorator = "@classmethod\n" if "classmethod" in found.labels else ""
        returns = f" -> {found.returns}" if found.returns else ""
        return f"{decorator}def {name}({_parameters(found.parameters)}){returns}"
    if isinstance(found, griffe.Class):
        bases = ", ".join(str(base) for base in found.bases)
        if bases.endswith("Error") or bases == "Exception":
            return f"class {name}({bases})"
        return f"class {name}({_parameters(found.parameters)})"
    assert isinstance(found, griffe.Attribute)
    return f"{name}: {found.annotation}"


def _parameters(parameters: griffe.Parameters) -> str:
    shown: list[str] = []
    starred = False
    for each in parameters:
        if each.name in ("self", "cls"):
            continue
        if each.kind is griffe.ParameterKind.keyword_only and not starred:
            shown.append("*")
            starred = True
        annotation = f": {each.annotation}" if each.annotation else ""
        default = f" = {each.default}" if each.default else ""
        shown.append(f"{each.name}{annotation}{default}")
    line = ", ".join(shown)
    if len(line) <= 70:
        return line
    return "\n    " + "\n    ".join(f"{each}," for each in shown) + "\n"


def _documentation(found: griffe.Object) -> Iterator[str]:
    for section in sections_of(found):
        kind = section.kind.value
        if kind == "text":
            yield section.value
        elif kind == "examples":
            yield "**Example**"
            for part, text in section.value:
                yield f"```python\n{text}\n```" if part.value == "examples" else text
        elif kind == "returns":
            yield "**Returns**"
            yield "\n\n".join(_unwrapped(each.description) for each in section.value)
        elif kind in _TITLES:
            yield f"**{_TITLES[kind]}**"
            yield "\n".join(_item(kind, each) for each in section.value)
        else:
            raise ValueError(f"{found.path}: a section {kind!r} in its docstring is not expected")


def _item(kind: str, each: griffe.DocstringElement) -> str:
    name = each.annotation if kind == "raises" else getattr(each, "name", "")
    return f"- `{name}`: {_unwrapped(each.description)}"


def _unwrapped(text: str) -> str:
    return " ".join(text.split())


def main() -> int:
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
