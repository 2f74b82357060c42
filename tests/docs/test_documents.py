"""Every block of the documents is known, and every command of ours is one that we can read.

`tests/integration/test_documents.py` runs them.
"""

from __future__ import annotations

import re

import pytest

import musicnet_duet.cli
import pipelines.cli
import training.cli
from tests.support.documents import (
    DOCUMENTS,
    NOT_OURS,
    NOT_RUN,
    ROOT,
    RUN_ELSEWHERE,
    SHOWN,
    SUBSTITUTIONS,
    Block,
    Command,
    blocks,
    commands,
    reason_not_to_run,
)

BLOCKS = [block for document in DOCUMENTS for block in blocks(document)]
COMMANDS = [
    command
    for block in BLOCKS
    if block.language == "sh" and not block.is_shown
    for command in commands(block)
]
PAGES = (*DOCUMENTS, "CHANGELOG.md", "docs/api.md")
MADE = {
    ".venv-peers/",
    "checkpoints/index.json",
    "croissant.json",
    "dataset.json",
    "dataset_info.json",
    "features.json",
    "demo/",
    "composer.json",
    "music.json",
    "my_models.py",
    "piece.json",
    "run.json",
    "summary.json",
    "tensorboard/",
    "transcriber.json",
    "transcript.json",
}
"""What commands of ours make, or a reader does, and the repository does not hold."""


def _named_files(document: str) -> set[str]:
    """Names in backticks that are those of folders, or of files of a kind that we write."""
    text = (ROOT / document).read_text(encoding="utf-8")
    return set(re.findall(r"`([\w./-]+(?:/|\.(?:json|md|py|sh|svg|toml|txt|xml|yaml|yml)))`", text))


FILES = [(page, name) for page in PAGES for name in sorted(_named_files(page) - MADE)]
PROGRAMS = {
    "duet": musicnet_duet.cli.PROGRAM,
    "python -m pipelines": pipelines.cli.PROGRAM,
    "python -m training": training.cli.PROGRAM,
}


def test_every_page_is_looked_into() -> None:
    folders = (ROOT, ROOT / "docs", ROOT / "deploy", ROOT / "benchmarks")
    pages = {str(path.relative_to(ROOT)) for folder in folders for path in folder.glob("*.md")}
    assert pages - {"CHANGELOG.md", "docs/api.md"} == set(DOCUMENTS)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: f"{block.document}:{block.line}")
def test_every_block_is_commands_or_python_or_listed(block: Block) -> None:
    assert block.language in ("sh", "python") or block.is_shown


def _name(command: Command) -> str:
    return f"{command.document}:{command.line}"


@pytest.mark.parametrize("command", [each for each in COMMANDS if not each.is_ours], ids=_name)
def test_a_command_of_others_is_known_not_to_run_here(command: Command) -> None:
    assert reason_not_to_run(command)


@pytest.mark.parametrize("command", [each for each in COMMANDS if each.is_ours], ids=_name)
def test_a_command_of_ours_has_options_that_exist(command: Command) -> None:
    words = command.words
    program = "duet" if words[0] == "duet" else " ".join(words[:3])
    found, options = PROGRAMS[program].read(words[len(program.split()) :])
    found.check(options)


@pytest.mark.parametrize("document", PAGES)
def test_every_link_within_the_project_leads_somewhere(document: str) -> None:
    page = ROOT / document
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        path, _, anchor = target.partition("#")
        if ":" in path:
            continue
        linked = page.parent / path if path else page
        assert linked.exists(), target
        if anchor:
            assert anchor in _anchors(linked.read_text(encoding="utf-8")), target


@pytest.mark.parametrize(("document", "name"), FILES)
def test_every_file_and_folder_that_a_page_names_exists(document: str, name: str) -> None:
    path = ROOT / name
    assert path.is_dir() if name.endswith("/") else path.is_file()


def test_names_of_files_are_looked_for_in_every_page_that_has_some() -> None:
    assert ("deploy/README.md", "pipelines/engine/transforms.py") in FILES
    assert {"README.md", "CONTRIBUTING.md", "docs/architecture.md"} <= {page for page, _ in FILES}
    assert {name for page in PAGES for name in _named_files(page)} >= MADE


def _anchors(text: str) -> set[str]:
    """What GitHub makes of headings: lower case, without punctuation, with dashes for spaces."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


def test_nothing_is_listed_that_no_document_says() -> None:
    texts = [command.text for command in COMMANDS]
    for part in (*SUBSTITUTIONS, *NOT_RUN, *NOT_OURS):
        assert any(part in text for text in texts), part
    assert set(RUN_ELSEWHERE) == {block.foreign_package for block in BLOCKS} - {None}
    firsts = {(block.document, block.text.strip().partition("\n")[0]) for block in BLOCKS}
    assert {(document, line) for document, lines in SHOWN.items() for line in lines} <= firsts
