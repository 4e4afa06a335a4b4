"""Run the goals of honest data and print their figures: `python -m tests.faults [--quick] [--seed N]`.

G5: 2,000 seeded mutations over all readers. G6: legal oddities. G7: planted copies among 5,000 distinct garments. And
forty planted faults that `anmok check` must find and name. Exit code 1 where a goal is missed.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from time import monotonic

from tests.faults import mutations, odd_beside, oddities, planted

MUTATIONS, DISTINCT, EACH = 2000, 5000, 60


def main() -> int:
    parser = argparse.ArgumentParser(description="The goals of honest data, as figures.")
    parser.add_argument("--quick", action="store_true", help="a twentieth of the work")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    part = 20 if asked.quick else 1
    missed = 0
    with tempfile.TemporaryDirectory() as place:
        os.environ["ANMOK_CACHE"] = str(Path(place) / "cache")
        for goal in (_mutations, _oddities, _planted, _copies):
            started = monotonic()
            complaints = goal(Path(place) / goal.__name__, part, asked.seed)
            print(f"    {'missed' if complaints else 'reached'} in {monotonic() - started:.0f} s")
            for line in complaints[:40]:
                print(f"    {line}")
            missed += bool(complaints)
    return 1 if missed else 0


def _mutations(folder: Path, part: int, seed: int) -> list[str]:
    tally = mutations.run(folder, MUTATIONS // part, seed)
    print(f"G5: {MUTATIONS // part} mutated data sets, {tally.planted} faults in them; longest {tally.longest:.2f} s")
    for (kind, outcome), count in sorted(tally.outcomes.items()):
        print(f"    {kind:15}{outcome:10}{count:6}")
    return tally.complaints


def _oddities(folder: Path, part: int, seed: int) -> list[str]:
    count, complaints = oddities.run(folder)
    more, others = odd_beside.run(folder)
    count, complaints = count + more, [*complaints, *others]
    print(f"G6: {count} legal oddities, {count - len(complaints)} read as they should be")
    return complaints if count >= 60 else [*complaints, f"only {count} oddities"]


def _planted(folder: Path, part: int, seed: int) -> list[str]:
    count, found, complaints = planted.run(folder)
    print(f"Planted faults: {count} over all readers, {found} found and named")
    return complaints


def _copies(folder: Path, part: int, seed: int) -> list[str]:
    # The tests' own figures: shares of copies found by kind, false alarms among distinct pictures.
    from tests.data.copied_pictures import CHANGES, TEXTURES, garments, planted_and_found, tiles

    missed = []
    for what, distinct in (
        ("garments", garments(DISTINCT // min(part, 5), seed)),
        ("tiles of textures", tiles(TEXTURES, 64)),
    ):
        shares, false_alarms = planted_and_found(distinct, EACH // min(part, 3))
        print(f"G7: copies planted among {len(distinct)} distinct {what}; {false_alarms:.2%} of these are false alarms")
        for name, share in shares.items():
            print(f"    {name:32}{share:8.1%} found, {CHANGES[name][1]:.0%} asked for")
        missed += [f"{name}: {share:.1%}" for name, share in shares.items() if share < CHANGES[name][1]]
        missed += [f"false alarms: {false_alarms:.2%}"] if false_alarms > 0.01 else []
    return missed


if __name__ == "__main__":
    sys.exit(main())
