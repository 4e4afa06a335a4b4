"""An anatomy as text: a table for the terminal, in plain characters."""

from __future__ import annotations

from collections.abc import Sequence

from anmok.anatomy.structure import Anatomy, Extent, Layer

_HEAD = ("layer", "kind", "output", "window", "parameters", "MACs", "activations", "sees", "jump")


def render(anatomy: Anatomy, depth: int | None = 0) -> str:
    """The table at a depth (see `Anatomy.fold`; 0 chooses one of about a screenful) and the totals below it."""
    depth = anatomy.best_depth() if depth == 0 else depth
    layers = anatomy.fold(depth)
    rows = [_HEAD, *(cells(layer) for layer in layers)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEAD))]
    lines = [_line(row, widths) for row in rows]
    lines.insert(1, "  ".join("─" * width for width in widths))
    return "\n".join([*lines, lines[1], *summary(anatomy), *(f"note: {note}" for note in anatomy.notes)])


def cells(layer: Layer) -> tuple[str, ...]:
    """One row's cells as text, in the order of the table's head."""
    name = layer.name if layer.call == 1 else f"{layer.name} (call {layer.call})"
    return (
        name or "(network)",
        layer.kind if layer.family != "idle" else f"{layer.kind}, not used",
        "×".join(map(str, layer.output)) if layer.output is not None else "–",
        _window(layer),
        f"{layer.parameters:,}" if layer.parameters else "–",
        short(layer.macs + layer.product_macs) if layer.macs + layer.product_macs else "–",
        memory(layer.activation_bytes) if layer.activation_bytes else "–",
        sees(layer.field),
        _jump(layer.field),
    )


def summary(anatomy: Anatomy) -> list[str]:
    """The totals, one sentence a line."""
    total = max(anatomy.parameters, 1)
    shares = ", ".join(f"{kind} {count / total:.1%}" for kind, count in anatomy.shares.items() if count)
    macs = f"{short(anatomy.macs)} multiply-adds a picture"
    if anatomy.product_macs:
        macs += f", and {short(anatomy.product_macs)} between activations"
    return [
        f"{anatomy.name} on {'×'.join(map(str, anatomy.input_shape))} → "
        + ", ".join("×".join(map(str, shape)) or "a number" for shape in anatomy.output_shapes),
        f"{anatomy.parameters:,} parameters ({shares or 'none'}), {memory(anatomy.parameter_bytes)}",
        macs,
        f"{memory(anatomy.activation_bytes)} of activations to keep for training, "
        f"{memory(anatomy.peak_bytes)} at once to answer",
        f"features see {sees(anatomy.receptive_field)} pixels of the picture, {_jump(anatomy.receptive_field)} apart",
    ]


def sees(extents: Sequence[Extent | None]) -> str:
    """Receptive field as text: one number where all axes agree; `all` for the whole picture, `?` for unknown."""
    if not extents:
        return "–"
    texts = ["?" if e is None else "all" if e.whole and e.jump is None else str(e) for e in extents]
    return texts[0] if len(set(texts)) == 1 else "×".join(texts)


def short(number: int) -> str:
    """Three figures and a unit: 15.5 G, 714 M."""
    for unit, size in (("T", 10**12), ("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if number >= size:
            value = number / size
            return f"{value:.{2 if value < 10 else 1 if value < 100 else 0}f} {unit}"
    return str(number)


def memory(size: int) -> str:
    """Bytes in binary units."""
    for unit, step in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if size >= step:
            return f"{size / step:.1f} {unit}"
    return f"{size} B"


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    left = 4  # names and shapes read from the left, numbers from the right
    parts = [
        cell.ljust(width) if i < left else cell.rjust(width)
        for i, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "  ".join(parts).rstrip()


def _window(layer: Layer) -> str:
    w = layer.window
    if w is None:
        return ""
    text = "×".join(map(str, w.kernel))
    for letter, values, usual in (("/", w.stride, 1), (" p", w.padding, 0), (" d", w.dilation, 1)):
        if any(value != usual for value in values):
            text += letter + ("×".join(map(str, values)) if len(set(values)) > 1 else str(values[0]))
    return text + (f" g{w.groups}" if w.groups > 1 else "") + (" up" if w.transposed else "")


def _jump(extents: Sequence[Extent | None]) -> str:
    texts = ["–" if e is None or e.jump is None else f"{e.jump:g}" for e in extents]
    return "×".join(texts if len(set(texts)) > 1 else texts[:1]) or "–"
