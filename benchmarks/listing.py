"""How fast runs are listed, filtered, and seen to change: `python benchmarks/listing.py --runs 10000`.

Makes run folders in a temporary directory, of all presets and many seeds, with 20 epochs each, then measures with a
cold memory (but a warm disk): the whole listing, a filter as it is typed, a second look with one changed folder.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent / "tests"))

from saved_runs import make_runs

from mnist_tui import columns, filters
from mnist_tui.listing import Runs, grouped

FILTERS = ("i", "it", "iter*", "acc>0.99", "opt:sgd", "params<20000 acc>0.98 -state:failed")


def seconds(what: Callable[[], object], times: int = 1) -> float:
    """The median of several times, in seconds."""
    found = []
    for _ in range(times):
        started = time.perf_counter()
        what()
        found.append(time.perf_counter() - started)
    return statistics.median(found)


def main() -> None:
    """Prints one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2_000)
    count = parser.parse_args().runs
    os.fsync = lambda descriptor: None  # Only while the folders are made: their safety is not what is measured.
    with tempfile.TemporaryDirectory() as folder:
        make_runs(Path(folder), count)
        listed = Runs(Path(folder))
        result: dict[str, object] = {"runs": count, "list_s": seconds(listed.refresh)}
        shown = columns.chosen(columns.DEFAULT)
        result["first_200_rows_s"] = seconds(lambda: [[one.of([run]) for one in shown] for run in listed.all[:200]])
        for text in FILTERS:
            runs = listed.all
            result[f"filter {text}"] = seconds(lambda text=text, runs=runs: list(filter(filters.parse(text), runs)))
        result["group_s"] = seconds(lambda: grouped(listed.all))
        result["sort_s"] = seconds(lambda: columns.ordered([[run] for run in listed.all], "-best"), 5)
        result["same_s"] = seconds(listed.refresh, 5)
        (listed.all[0].folder / "tags.txt").write_text("seen\n")
        result["changed_s"] = seconds(listed.refresh)
        assert "seen" in listed.all[0].tags
        print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
