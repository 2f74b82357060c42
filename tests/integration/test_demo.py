"""The demo, whole: it must keep what it promises, on its own recordings and on real ones."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("recordings", "checks"), [("demo", 5), ("MUSICNET_ROOT", 4)])
def test_from_recordings_to_music(recordings: str, checks: int, tmp_path: Path) -> None:
    """A few excerpts of MusicNet are too little to say what real music is like."""
    command = [sys.executable, "examples/demo.py", "--output", str(tmp_path)]
    if recordings == "MUSICNET_ROOT":
        if recordings not in os.environ:
            pytest.skip("MUSICNET_ROOT does not name a folder with MusicNet recordings")
        command += ["--input", os.environ[recordings]]
    subprocess.run(command, cwd=ROOT, check=True)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert len(summary["checks"]) == checks
    assert all(summary["checks"].values())
    assert soundfile.info(tmp_path / "generated.wav").duration == pytest.approx(10, abs=0.1)
    for picture in ("windows.png", "generated.png"):
        assert (tmp_path / picture).read_bytes().startswith(b"\x89PNG")
