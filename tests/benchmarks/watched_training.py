"""What it costs a run to be watched, without a browser: processor time of a step with pictures and without.

    python tests/benchmarks/watched_training.py [NETWORK] [ROUNDS]

Both are measured in turns in one run; the median of the turns' ratios counts. It is processor time of the
run, from Linux's /proc, since on a busy machine a clock measures the others' work.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from pathlib import Path

from cnnviz.training.watched_run import WatchedRun
from cnnviz.training.watched_training import RunSettings

TURN = 4.0
"""Seconds of a turn."""
PICTURES = 5
"""A second, at most."""


def turn(run: WatchedRun, watched: bool) -> tuple[float, float, float]:
    """Processor seconds of a step, steps a second, and pictures a second."""
    began, steps, used, pictures = time.monotonic(), run.steps, spent(run), 0
    while (now := time.monotonic()) - began < TURN:
        if watched:
            pictures += run.glance(seconds=1 / PICTURES) is not None
        time.sleep(max(0.0, 1 / PICTURES - (time.monotonic() - now)))
    seconds, made = time.monotonic() - began, max(1, run.steps - steps)
    return (spent(run) - used) / made, made / seconds, pictures / seconds


def spent(run: WatchedRun) -> float:
    """Processor seconds of the run's process so far."""
    fields = Path(f"/proc/{run._process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main(network: str = "mnist_maxpool", rounds: str = "8") -> None:
    with WatchedRun(RunSettings(network, images=10_000)) as run:
        run.play()
        run.wait_for(lambda: run.steps > 5)
        turns = [(turn(run, False), turn(run, True)) for _ in range(int(rounds))]
    more = statistics.median(seen[0] / free[0] for free, seen in turns) - 1
    free, seen = ([statistics.median(each[k][n] for each in turns) for n in range(3)] for k in (0, 1))
    print(f"{network}: a step takes {1000 * free[0]:.0f} ms of processor time unwatched, {more:+.0%} watched")
    print(
        f"({free[1]:.1f} and {seen[1]:.1f} steps a second here and now, with {seen[2]:.1f} pictures a second)"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
