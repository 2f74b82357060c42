"""`python -m benchmarks [pipeline|reader|training]`: measures, prints tables and a summary.

Each figure appears beside a peer's and the physical limit, measured in the same run. The exit
status is 1 if a target ratio is missed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks import pipeline, reader, training
from benchmarks.corpus import make_corpora
from benchmarks.measure import Target, machine

BENCHMARKS = {"pipeline": pipeline.run, "reader": reader.run, "training": training.run}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    names = parser.parse_args().names or list(BENCHMARKS)
    unknown = sorted(set(names) - set(BENCHMARKS))
    if unknown:
        parser.error(f"{unknown[0]!r} is none of {', '.join(BENCHMARKS)}")
    print(machine())
    targets: list[Target] = []
    with tempfile.TemporaryDirectory(prefix="duet-bench-") as folder:
        corpora = make_corpora(Path(folder))
        for name in names:
            print(f"\n{name}")
            targets += BENCHMARKS[name](corpora, Path(folder))
    print()
    for target in targets:
        print(target)
    missed = sum(not target.met for target in targets)
    print(f"{len(targets) - missed} of {len(targets)} targets met")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
