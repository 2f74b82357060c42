"""Documents and docstrings are in American English, without idioms that are not English."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.features import DEFINITION

ROOT = Path(__file__).parents[2]
FOLDERS = (
    "schemas",
    "musicnet_duet",
    "pipelines",
    "training",
    "benchmarks",
    "deploy",
    "docs",
    "examples",
)

BRITISH = (
    r"(?:normal|serial|quant|organ|initial|optim|recogn|summar|general|visual|discret|random|minim|"
    r"maxim|standard|categor|special|token|author|util|synthes)is(?:e|ed|es|er|ing|ation)",
    r"parallelis(?:e|ed|es|ing|ation)",
    r"(?:colour|behaviour|neighbour|favour|honour)\w*",
    r"centred?|centres|centring",
    r"label(?:led|ling)|model(?:led|ling)|cancel(?:led|ling)|travel(?:led|ling)|signal(?:led|ling)",
    r"catalogue|artefact\w*|analys(?:e|ed|ing)|licence|defence|grey|whilst|learnt|afterwards",
)

IDIOMS = (
    r"(?<!no )such(?! as)",
    r"so (?:many|much)",
    r"(?<!each )of which",
    r"told",
    r"stands?(?! for|-)",
    r"shall",
    r"refus(?:e|ed|es|al|ing)",
    r"mend(?:s|ed|ing)?",
    r"(?<!there )(?:is|are) no (?:WAV|file|folder|dataset|part)",
    r"a (?:worker|process|thread) a core|one a core",
    r"in as much memory as",
    r"what (?:they|it) imagines?",
    r"and once more",
    r"(?:is|are|were) not numbers",
    r"whole or it is not there",
    r"(?:is|are) yours to",
    r"damage concerns",
    r"finds? (?:its way )?back",
    r"What can go wrong",
    r"holds (?:it|them) up next",
    r"run away",
)
"""What sounds foreign, each with a plain word for it in the rest of the project."""

MESSAGE_IDIOMS = (
    r"see to (?:it|the)",
    r"any more",
    r"has not enough",
    r"needs what",
    r"belongs behind",
    r"replace \w+ by",
)
"""The same, looked for in every text of the code, since messages use them too."""

PATTERN = re.compile(rf"\b(?:{'|'.join(BRITISH + IDIOMS + MESSAGE_IDIOMS)})\b", re.IGNORECASE)
MESSAGE_PATTERN = re.compile(rf"\b(?:{'|'.join(MESSAGE_IDIOMS)})\b", re.IGNORECASE)


def pages() -> Iterator[Path]:
    for folder in (ROOT, *(ROOT / name for name in FOLDERS)):
        yield from folder.glob("*.md")


def prose(path: Path) -> Iterator[tuple[int, str]]:
    """The lines that a reader of a file sees, but for code within backticks."""
    text = path.read_text(encoding="utf-8")
    is_code = path.suffix == ".py"
    lines = _docstring_lines(ast.parse(text)) if is_code else enumerate(text.splitlines(), start=1)
    for number, line in lines:
        yield number, re.sub(r"`[^`]*`", "", line)


def _docstring_lines(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Lines of all texts that stand alone: docstrings, also those of constants."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            text = node.value.value
            if isinstance(text, str):
                yield from enumerate(text.splitlines(), start=node.lineno)


@pytest.mark.parametrize("folder", FOLDERS)
def test_docstrings_are_plain_american_english(folder: str) -> None:
    paths = sorted((ROOT / folder).rglob("*.py"))
    assert paths
    assert list(_findings(paths)) == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_messages_are_plain_american_english(folder: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {node.value!r}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and MESSAGE_PATTERN.search(node.value)
    ]
    assert found == []


def test_pages_are_plain_american_english() -> None:
    assert list(_findings(sorted(pages()))) == []


def _findings(paths: list[Path]) -> Iterator[str]:
    for path in paths:
        for number, line in prose(path):
            for definition in map(str, [*DEFINITION, *DEFINITION.values()]):
                line = line.replace(f'"{definition}"', "")
            if found := PATTERN.search(line):
                yield f"{path.relative_to(ROOT)}:{number}: {found.group()!r} in: {line.strip()}"


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("Frames are centred on the", "centred"),
        ("a normalised level", "normalised"),
        ("a recording that is refused", "refused"),
        ("The file stands in the folder.", "stands"),
        ("as such", "such"),
        ("replace REGISTRY by your registry", "replace REGISTRY by"),
        ("the disk is full; see to it", "see to it"),
    ],
)
def test_the_pattern_finds_what_it_looks_for(line: str, word: str) -> None:
    found = PATTERN.search(line)
    assert found
    assert found.group() == word


@pytest.mark.parametrize(
    "line", ["options such as --steps", "a stand-in", "in a promise", "--parallelism=2"]
)
def test_the_pattern_leaves_plain_words_alone(line: str) -> None:
    assert not PATTERN.search(line)
