"""How much slower a network trains while it is watched, without a browser: steps a second with pictures and without.

    python tests/benchmarks/watched_training.py [NETWORK] [ROUNDS]

Both are measured in turns in one run, since other work on the machine comes and goes; the median of the turns'
ratios counts. `Trainer.fit` alone stands beside them.
"""

from __future__ import annotations

import statistics
import sys
import time

from cnnviz.training.watched_run import WatchedRun
from cnnviz.training.watched_training import RunSettings, WatchedTraining

TURN = 4.0
"""Seconds of a turn."""
PICTURES = 5
"""A second."""


def rate(run: WatchedRun, watched: bool) -> tuple[float, int]:
    """Steps a second in a turn, and the pictures that came in it."""
    began, steps, pictures = time.monotonic(), run.steps, 0
    while time.monotonic() - began < TURN:
        if watched:
            pictures += run.glance() is not None
        time.sleep(1 / PICTURES)
    return (run.steps - steps) / (time.monotonic() - began), pictures


def alone(settings: RunSettings) -> float:
    """Steps a second of `Trainer.fit`, here, with nothing around it."""
    watched = WatchedTraining(settings)
    ends = time.monotonic() + TURN

    def over(step: object) -> None:
        if time.monotonic() > ends:
            raise TimeoutError

    try:
        watched.trainer.fit(
            watched.images, watched.labels, 100, settings.batch_size, on_step=over, progress=False
        )
    except TimeoutError:
        pass
    return watched.steps / TURN


def main(network: str = "mnist_maxpool", rounds: str = "8") -> None:
    settings = RunSettings(network, images=10_000)
    with WatchedRun(settings) as run:
        run.play()
        run.wait_for(lambda: run.steps > 5)
        turns = [(rate(run, False)[0], *rate(run, True)) for _ in range(int(rounds))]
        run.pause()
    free, seen = (statistics.median(turn[k] for turn in turns) for k in (0, 1))
    slower = statistics.median(turn[1] / turn[0] for turn in turns)
    pictures = statistics.median(turn[2] / TURN for turn in turns)
    print(f"{network}: {free:.1f} steps a second unwatched, {seen:.1f} with {pictures:.1f} pictures a second")
    print(f"watched it trains at {slower:.0%} of that speed; Trainer.fit alone makes {alone(settings):.1f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
