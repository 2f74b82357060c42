"""Pages in a real browser, which plays every player of theirs."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from musicnet_duet.cli import main
from schemas import Dataset
from schemas.tables import RECORDINGS, RECORDINGS_FILE, table_bytes
from tests.support.processes import ROOT
from tests.support.tools import browser, playwright_python

HOSTILE = "<script>alert(1)</script><img src=http://localhost:9/x.png>"
WIDTHS = {"dark": 400, "light": 1_400}

FAULTY = """<!DOCTYPE html><html><head><title>x</title></head><body>
<script>console.log("said"); nothing.there;</script>
<p style="width: 1000px">wide</p><img src="http://localhost:9/x.png" alt="">
<audio src="data:audio/wav;base64,AAAA"></audio></body></html>"""


def watched(page: Path, scheme: str) -> dict[str, Any]:
    script = str(ROOT / "tests/support/watch_page.py")
    command = [str(playwright_python()), script, browser(), str(page)]
    run = subprocess.run([*command, str(WIDTHS[scheme]), scheme], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    found: dict[str, Any] = json.loads(run.stdout)
    return found


@pytest.fixture(scope="module")
def dataset_page(tiny_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That of a dataset whose recordings have titles like an attack."""
    folder = tmp_path_factory.mktemp("pages")
    root = shutil.copytree(tiny_dataset, folder / "dataset")
    rows = [{**row, "movement": HOSTILE} for row in Dataset(root).recordings().to_pylist()]
    table = pa.Table.from_pylist(rows, RECORDINGS)
    (root / RECORDINGS_FILE).write_bytes(table_bytes(table))
    assert main(["report", str(root), "--html", str(folder / "page.html")]) == 0
    return folder / "page.html"


@pytest.fixture(scope="module")
def run_page(
    small_run: Path, small_dataset: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    path = tmp_path_factory.mktemp("pages") / "page.html"
    command = ["report", str(small_run), "--data", str(small_dataset), "--html", str(path)]
    assert main(command) == 0
    return path


@pytest.mark.parametrize("scheme", WIDTHS)
@pytest.mark.parametrize("kind", ["dataset", "run"])
def test_a_page_works_in_a_browser(kind: str, scheme: str, request: pytest.FixtureRequest) -> None:
    found = watched(request.getfixturevalue(f"{kind}_page"), scheme)
    assert found["said"] == []
    assert found["fetched"] == []
    assert found["scroll_width"] == WIDTHS[scheme]
    assert found["paper"] == {"dark": "rgb(20, 23, 27)", "light": "rgb(253, 253, 251)"}[scheme]
    assert len(found["players"]) == {"dataset": 10, "run": 6}[kind]
    for player in found["players"]:
        assert player["error"] is None, player
        assert player["duration"] > 0, player
        assert player["time"] > 0, player
        assert player["label"]
    assert len(found["pictures"]) == {"dataset": 13, "run": 8}[kind]
    for picture in found["pictures"]:
        assert min(picture["width"], picture["height"]) > 0, picture
        assert picture["alt"]
    if kind == "dataset":
        assert HOSTILE in found["text"]


def test_what_is_wrong_with_a_page_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "faulty.html"
    path.write_text(FAULTY)
    found = watched(path, "dark")
    assert any("said" in each for each in found["said"])
    assert any("nothing is not defined" in each for each in found["said"])
    assert found["fetched"] == ["http://localhost:9/x.png"]
    assert found["scroll_width"] > WIDTHS["dark"]
    assert found["players"][0]["error"]
    assert found["pictures"][0]["width"] == 0
