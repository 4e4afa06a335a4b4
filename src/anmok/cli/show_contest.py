"""Networks trained on the same pictures, in the terminal."""

from __future__ import annotations

import textwrap
from typing import Any

from anmok.cli.show import print_table


def print_contest(found: Any) -> None:
    """A row a network within 100 columns, how it was measured, then what holds of what was expected."""
    parts = list(found.contestants[0].seconds)
    heading = ["network", "year", *(f"{name}, %" for name in found.headlines), "ms", *parts, "min", "parameters"]
    rows = []
    for one in found.contestants:
        figures = [f"{100 * one.figures[name][0]:.1f}" if name in one.figures else "–" for name in found.headlines]
        times = [f"{1e3 * seconds:.3g}" for seconds in (sum(one.seconds.values()), *one.seconds.values())]
        rows.append([one.name, str(one.year), *figures, *times, f"{one.training / 60:.1f}",
                     f"{one.parameters / 1e6:.3g} M"])  # fmt: skip
    print_table(heading, rows)
    machine = found.machine
    told = (
        f"{found.data}: trained on the same pictures, judged on {found.pictures:,} others. ms: milliseconds a picture, "
        "one at a time, and of these by part, without reading files; min: minutes of training. On "
        f"{machine['device']} ({machine['cpu']}, {machine['threads']} threads), {machine['precision']}."
    )
    print(f"\n{textwrap.fill(told, 100)}")
    for remark in found.remarks:
        print(textwrap.fill(remark, 100, initial_indent="- ", subsequent_indent="  "))
    for one in found.contestants:
        print(f"{one.name}: {one.run}")
    if found.out is not None:
        print(found.out)
