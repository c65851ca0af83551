"""How the explorer bears a class, and what else comes: uploads, heavy buttons, visitors that vanish.

Run it with `python tests/benchmarks/load.py` on a machine that does nothing else: on a busy one its memory
and its processor time mean something, its waits do not. It prints a report and fails only if a session saw
an error. Each scene is a class of readers, with a few others among them, or on one page; what is reported
are the readers' reruns: from the message sent to "script finished" received.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Mapping, Sequence

import numpy as np
from serving import Serving
from visitors import FieldReader, Presser, Session, Trainee, Uploader, Vanisher, photographs

SCENES: Mapping[str, tuple[type[Session], type[Session] | None, float]] = {
    "class": (Session, None, 0),
    "field": (FieldReader, None, 0),
    "uploads": (Session, Uploader, 0.3),
    "buttons": (Session, Presser, 0.1),
    "vanishing": (Session, Vanisher, 0.5),
    "training": (Session, Trainee, 0.05),
}
"""What the class does, who is there besides, and how many of those for each of the class."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("scenes", nargs="*", metavar="SCENE", help=f"of {', '.join(SCENES)} (default: class)")
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--every", type=float, default=2.0, help="seconds between a session's actions")
    parser.add_argument("--pages", action="store_true", help="print the reruns of every page")
    args = parser.parse_args()
    scenes = args.scenes or ["class"]
    for scene in scenes:
        if scene not in SCENES:
            parser.error(f"SCENE must be one of {', '.join(SCENES)}, got {scene!r}")
    failed = 0
    for scene in scenes:
        if SCENES[scene][1] is Uploader:
            photographs()  # Made before the server starts, whose beginning is measured.
        with Serving() as server:
            failed += asyncio.run(drive(server, scene, args))
    raise SystemExit(min(failed, 1))


async def drive(server: Serving, scene: str, args: argparse.Namespace) -> int:
    """The whole measurement of a scene; the number of errors."""
    reader, other, share = SCENES[scene]
    say(f"{scene}: {args.sessions} sessions", "" if other is None else f"and others {other.called}")
    first = reader(server.place, 0)
    await first.open()
    say("first answer of the server", f"{server.served:.1f} s after the command")
    say("first page finished", f"{server.elapsed():.1f} s after the command (target: under 4 s)")
    await asyncio.sleep(2)
    say("resident memory, one session", f"{server.memory():.0f} MB (target: under 300 MB)")
    sessions = [first, *(reader(server.place, number) for number in range(1, args.sessions))]
    count = max(1, round(share * args.sessions)) if other else 0
    others = [other(server.place, 1000 + i) for i in range(count)] if other else []
    memory: list[tuple[float, float]] = []
    busy = server.processor()
    begin = time.perf_counter()

    async def watch() -> None:
        while time.perf_counter() < begin + args.seconds:
            memory.append((time.perf_counter() - begin, server.memory()))
            await asyncio.sleep(0.25)

    def living(those: Sequence[Session]) -> list:
        late = args.every / max(len(those), 1)
        return [one.live(begin, args.seconds, args.every, i * late) for i, one in enumerate(those)]

    await asyncio.gather(watch(), *living(sessions), *living(others))
    report(sessions, memory, args)
    if others:
        times = np.array([rerun.seconds for one in others for rerun in one.reruns])
        median, most = np.percentile(times, [50, 100])
        say(
            f"{len(times)} reruns of {len(others)} others",
            f"median {median:.2f} s, longest {most:.2f} s",
        )
    everyone = [*sessions, *others]
    busy, count = server.processor() - busy, sum(len(one.reruns) for one in everyone)
    say("processor time", f"{busy / count:.3f} s a rerun, with the helpers' processes")
    errors = [f"{one.called} {one.number}: {error}" for one in everyone for error in one.errors]
    say("errors", str(len(errors)))
    if args.pages:
        pages(everyone)
    print("\n".join(errors), flush=True)
    for one in everyone:
        await one.close()
    return len(errors)


def report(sessions: list[Session], memory: list[tuple[float, float]], args: argparse.Namespace) -> None:
    times = np.array([rerun.seconds for session in sessions for rerun in session.reruns])
    median, high, most = np.percentile(times, [50, 95, 100])
    say(
        f"{len(times)} reruns of {len(sessions)} sessions",
        f"median {median:.2f} s, 95th percentile {high:.2f} s (target: under 1.5 s), longest {most:.2f} s",
    )
    # The first minute fills the caches; of shorter runs the first half is left out.
    settled = min(60.0, args.seconds / 2)
    before = [size for when, size in memory if settled - 5 <= when <= settled + 5]
    after = [size for when, size in memory if when >= args.seconds - 10]
    growth = np.mean(after) / np.mean(before) - 1
    say(
        f"memory from second {settled:.0f} to the end",
        f"{np.mean(before):.0f} to {np.mean(after):.0f} MB, {growth:+.1%} (target: at most +10 %)",
    )
    say("most memory, with the helpers' processes", f"{max(size for _, size in memory):.0f} MB")


def pages(sessions: Sequence[Session]) -> None:
    reruns = [rerun for session in sessions for rerun in session.reruns]
    for what in sorted({rerun.what for rerun in reruns}):
        chosen = [rerun.seconds for rerun in reruns if rerun.what == what]
        median, high = np.percentile(chosen, [50, 95])
        sent = np.median([rerun.received for rerun in reruns if rerun.what == what]) / 1e3
        say(f"  {what}", f"n={len(chosen):<4} median {median:.2f} s, 95 % {high:.2f} s, {sent:.0f} kB")


def say(what: str, found: str) -> None:
    print(f"{what:<42} {found}", flush=True)


if __name__ == "__main__":
    main()
