"""The commands and snippets of documents: what they are, and how a test runs each."""

from __future__ import annotations

import dataclasses
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]

DOCUMENTS = (
    "README.md",
    "CONTRIBUTING.md",
    "benchmarks/README.md",
    "deploy/README.md",
    "docs/architecture.md",
    "docs/composing.md",
    "docs/demo.md",
    "docs/evaluation.md",
    "docs/format.md",
    "docs/models.md",
    "docs/orchestration.md",
    "docs/other-tools.md",
    "docs/recordings.md",
    "docs/reject-codes.md",
    "docs/report.md",
    "docs/results.md",
    "docs/training-from-shards.md",
    "docs/transcription.md",
)
"""All but docs/api.md, whose examples are those of docstrings, and tested with them."""

START = {
    "README.md": ("musicnet",),
    "docs/composing.md": ("dataset",),
    "docs/models.md": ("musicnet", "dataset", "fugue.mid"),
    "docs/recordings.md": ("musicnet", "songs"),
    "docs/results.md": ("musicnet", "dataset"),
}
"""What there is before a document's first command; for others, also a run."""

SUBSTITUTIONS = {
    "demo/dataset": "dataset",
    "demo/player": "run",
    "--units 192": "--units 8",
    "--steps 300": "--steps 2",
    "--steps 500": "--steps 2",
    "--steps 20000": "--steps 2",
    "--steps 40000": "--steps 4",
    "--steps 400": "--steps 2",
    "--units 512 512": "--units 8",
    "9011": "2303",
    "MUSICNET": "musicnet",
    '"$MUSICNET_ROOT"': "musicnet",
    "OUT": "out",
}
"""What takes long or names no real file, and what the tests run instead."""

NOT_OURS = {
    "make": "installs the project, or runs this very test",
    "pip": "installs packages",
    ".venv/bin/": "is there only after make test; names files that may not be there",
    "tensorboard": "serves until it is stopped",
    "python deploy/flink/local_cluster.py": "needs root; tests/integration/test_engines.py runs it",
    "python examples/demo.py": "takes minutes; tests/integration/test_demo.py runs it",
    "export": "sets a variable of the reader's shell",
    "deploy/dataflow/launch.sh": "needs Docker and a Google account",
    "docker": "needs Docker",
    "gcloud": "needs a Google account",
    "cp": "copies a file",
    "ffmpeg": "is another program",
    "helm": "needs Kubernetes",
    "kubectl": "needs Kubernetes",
}
"""Commands that no test can run here, by their beginning, and why."""

NOT_RUN = {
    "--runner PortableRunner": "needs a Flink cluster; tests/integration/test_engines.py runs it",
    "--runner PrismRunner": "needs Prism; tests/integration/test_engines.py runs it",
    "--runner DataflowRunner": "needs a Google account",
    "--model my_models:build": "tests/training/test_custom_models.py runs it on the page's module",
    "--run own": "the same",
    "duet ablation": "trains dozens of models; tests/integration/test_ablation.py runs it",
    "duet download": "needs the network; tests/pipelines/forms/test_download.py runs it",
    "duet unpack": "unpacks gigabytes; tests/pipelines/forms/test_unpacking.py runs it",
    "--free-running": "needs whole windows; tests/training/test_free_running.py runs it",
}
"""Commands of ours that are only parsed, by a part of them, and why."""

RUN_ELSEWHERE = {
    **dict.fromkeys(
        ("tensorflow_datasets", "datasets", "mlcroissant"),
        "tests/integration/test_other_tools.py runs it in an environment of its own",
    ),
    "grain": "tests/integration/test_frameworks.py runs it in an environment of its own",
    "torch": "takes gigabytes; tests/integration/test_frameworks.py does what its workers do",
}
"""Packages that Python blocks import but that are no dependencies, and what is done instead."""

SHOWN = {
    "CONTRIBUTING.md": ("- `verify` names the windows that damage affects.",),
    "benchmarks/README.md": ("AMD EPYC, 2 cores, 24 GiB, Linux 6.18.44-fc-v669, Python 3.11.7",),
    "deploy/README.md": ("recordings                          330   1,000,000",),
    "docs/demo.md": ("# From recordings to music",),
    "docs/format.md": (
        "DATASET/",
        "{",
        "left, right = v >> h, v & mask",
        "mix(x):                                   all operations modulo 2^64",
        "[config, seed, [shards of train, of validation, of test], rows]",
    ),
    "docs/models.md": ("model:",),
}
"""Blocks that are neither commands nor Python, by their first lines: layouts, formulas, output."""

PROGRAMS = ("duet", "python -m pipelines", "python -m training")


@dataclasses.dataclass(frozen=True)
class Block:
    """An indented or fenced block of a document; `line` counts from 1."""

    document: str
    line: int
    language: str
    text: str

    @property
    def is_shown(self) -> bool:
        """Whether it is listed as something to look at."""
        return self.text.strip().partition("\n")[0] in SHOWN.get(self.document, ())

    @property
    def foreign_package(self) -> str | None:
        """The package of `RUN_ELSEWHERE` that it imports, if any."""
        imported = re.findall(r"^(?:import|from) (\w+)", self.text, re.MULTILINE)
        return next((name for name in imported if name in RUN_ELSEWHERE), None)


@dataclasses.dataclass(frozen=True)
class Command:
    """One command line of a document, on one line and without its comment."""

    document: str
    line: int
    text: str

    @property
    def is_ours(self) -> bool:
        return self.text.startswith(tuple(f"{program} " for program in PROGRAMS))

    @property
    def is_run(self) -> bool:
        return self.is_ours and not any(part in self.text for part in NOT_RUN)

    @property
    def words(self) -> list[str]:
        """The words, with `SUBSTITUTIONS` made."""
        text = self.text
        for documented, run in SUBSTITUTIONS.items():
            text = re.sub(rf"(?<!\S){re.escape(documented)}(?!\S)", run, text)
        return shlex.split(text)


def blocks(document: str) -> list[Block]:
    """All indented and fenced blocks of a document, in order."""
    found: list[Block] = []
    lines = (ROOT / document).read_text(encoding="utf-8").splitlines()
    number = 0
    while number < len(lines):
        fence = re.match(r" *```(\w*)$", lines[number])
        start = number + 1 if fence else number
        if fence:
            end = next(each for each in range(start, len(lines)) if lines[each].strip() == "```")
        elif lines[number].startswith("    ") and not lines[number - 1].strip():
            inside = range(start, len(lines))
            end = next(
                (each for each in inside if lines[each].strip() and lines[each][:4] != "    "),
                len(lines),
            )
        else:
            number += 1
            continue
        text = "\n".join(lines[start:end])
        found.append(Block(document, start + 1, fence.group(1) if fence else "sh", text))
        number = end + 1 if fence else end
    return found


def commands(block: Block) -> Iterator[Command]:
    """The command lines of a block, joined where a backslash continues them."""
    joined = ""
    for offset, line in enumerate(block.text.splitlines()):
        joined = f"{joined} {line.strip()}".strip()
        if joined.endswith("\\"):
            joined = joined[:-1].strip()
            continue
        text = re.sub(r"\s+# .*$", "", joined)
        if text:
            yield Command(block.document, block.line + offset, text)
        joined = ""


def reason_not_to_run(command: Command) -> str | None:
    """Why a command that is not ours is not run; None where it is not known."""
    text = re.sub(r"^([A-Z_]+=\S+ )+", "", command.text)
    return next((why for start, why in NOT_OURS.items() if text.startswith(start)), None)
