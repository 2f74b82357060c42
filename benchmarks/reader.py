"""Reading windows: ours and tf.data's, beside bare positioned reads with their checksums."""

from __future__ import annotations

from pathlib import Path

from benchmarks.corpus import Corpora
from benchmarks.measure import Target, measure
from pipelines.text import aligned

RUNS = 3
WAYS = {
    "tf.data: interleave, shuffle 256, parse, batch": "tf_data",
    "ours, arrays": "ours",
    "ours, as tf.data": "ours_tf_data",
    "limit: bare positioned reads, crc32c, 1 thread": "bare",
}


def run(corpora: Corpora, folder: Path) -> list[Target]:
    dataset = folder / "reader-dataset"
    measure("pipelines", "preprocess", "--input", corpora.two_hours.root, "--output", dataset,
            "--shard-mb", 16, "--json")  # fmt: skip
    targets = []
    for features in ("log_mel", "log_mel,waveform,notes,onsets"):
        best: dict[str, float] = {}
        peak: dict[str, float] = {}
        for _ in range(RUNS):
            for name, way in WAYS.items():
                measured = measure("benchmarks.read_windows", way, dataset, features)
                best[name] = max(best.get(name, 0), measured.result["windows_per_second"])
                peak[name] = max(peak.get(name, 0), measured.result["megabytes"])
        rows = [["", "windows/s", "MB over idle"]]
        rows += [[name, f"{best[name]:,.0f}", f"{peak[name]:.0f}"] for name in WAYS]
        print(f"{features}: three epochs from a warm cache, best of {RUNS}")
        print(aligned(rows))
        usual, arrays, _, bare = (best[name] for name in WAYS)
        targets += [
            Target(f"reading {features}, to tf.data", arrays / usual, 1),
            Target(f"reading {features}, to the limit", arrays / bare, 0.3),
        ]
    return targets
