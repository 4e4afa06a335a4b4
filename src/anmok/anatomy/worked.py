"""Convolution arithmetic in sentences: every step with its numbers, for whoever wants to follow by hand."""

from __future__ import annotations

from collections.abc import Sequence

from anmok.anatomy.arithmetic import (
    conv_macs,
    conv_output,
    conv_parameters,
    kernel_area,
    kernel_reach,
    pool_output,
    receptive_field,
    tensorflow_same,
    tensorflow_valid,
    transposed_output,
)

# GoogLeNet's first Inception block, 3a: Szegedy et al., Going deeper with convolutions (arXiv:1409.4842), table 1.
SIZE, WIDTH = 28, 192  # of the map it reads
ONE, THREE, FIVE, POOLED = 64, (96, 128), (16, 32), 32  # channels of its branches: out, or (reduced by a 1×1, out)


def explain_conv_output(size: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> str:
    """Why a convolution's output has the size it has.

    >>> print(explain_conv_output(224, 11, stride=4, padding=2))
    Padding turns 224 into 224 + 2·2 = 228.
    The kernel covers 11, so its left edge can stand on 228 − 11 + 1 = 218 places.
    Stepping by 4 it uses ⌊217 / 4⌋ + 1 = 55 of them; 1 cell at the end is never read.
    Output size: 55.
    """
    out, reach = conv_output(size, kernel, stride, padding, dilation), kernel_reach(kernel, dilation)
    padded = size + 2 * padding
    places, unread = padded - reach + 1, (padded - reach) % stride
    covers = f"covers {reach}"
    if dilation > 1:
        covers = f"of {kernel} taps spread by {dilation} covers {dilation}·({kernel} − 1) + 1 = {reach}"
    start = (
        f"Padding turns {size} into {size} + 2·{padding} = {padded}."
        if padding
        else f"No padding: {size} stays {size}."
    )
    stepping = f"Stepping by {stride} it uses ⌊{padded - reach} / {stride}⌋ + 1 = {out} of them"
    left = f"; {_cells(unread)} at the end {'is' if unread == 1 else 'are'} never read"
    return "\n".join(
        [
            start,
            f"The kernel {covers}, so its left edge can stand on {padded} − {reach} + 1 = {places} places.",
            stepping + (left if unread else "") + ".",
            f"Output size: {out}.",
        ]
    )


def explain_pool_output(size: int, kernel: int, stride: int | None = None, padding: int = 0) -> str:
    """How rounding down and rounding up differ in pooling."""
    stride = kernel if stride is None else stride
    room = size + 2 * padding - kernel
    down, up = (pool_output(size, kernel, stride, padding, ceil_mode=mode) for mode in (False, True))
    text = f"({size} + 2·{padding} − {kernel}) / {stride} = {room / stride:g}: "
    if down == up:
        return text + f"rounding down or up makes no difference here, {down} windows either way."
    dropped = room - (down - 1) * stride
    return text + (
        f"rounded down {down} windows, and {_cells(dropped)} at the end {'is' if dropped == 1 else 'are'} dropped; "
        f"rounded up (ceil_mode) {up}, the last of them hanging over the end."
    )


def explain_transposed_output(
    size: int, kernel: int, stride: int = 1, padding: int = 0, output_padding: int = 0
) -> str:
    """A transposed convolution read as the way back of a convolution."""
    out = transposed_output(size, kernel, stride, padding, output_padding)
    back = [n for n in range(out - output_padding, out - output_padding + stride) if n + 2 * padding >= kernel]
    return "\n".join(
        [
            f"Each of the {size} inputs stamps the kernel of {kernel}, {stride} apart: "
            f"({size} − 1)·{stride} + {kernel} = {(size - 1) * stride + kernel} cells.",
            f"Padding {padding} cuts {padding} from each side, output padding adds {output_padding} at the end: {out}.",
            f"The convolution with the same numbers maps {' and '.join(map(str, back))} to {size}: "
            + ("output padding says which one to return to." if stride > 1 else "exactly one way back."),
        ]
    )


def explain_same_padding(size: int, kernel: int, stride: int = 1) -> str:
    """TensorFlow's SAME and VALID next to torch's symmetric padding.

    >>> print(explain_same_padding(224, 7, stride=2))  # doctest: +ELLIPSIS
    TensorFlow SAME: ⌈224 / 2⌉ = 112 outputs need (112 − 1)·2 + 7 − 224 = 5 cells of padding: 2 before, 3 after.
    TensorFlow VALID: no padding, ⌈(224 − 7 + 1) / 2⌉ = 109 outputs.
    torch, padding 3: 3 before and 3 after, 112 outputs.
    The first window starts 2 before the picture in TensorFlow, 3 before it in torch: carried-over weights see it ...
    """
    out, pad = tensorflow_same(size, kernel, stride)
    valid = tensorflow_valid(size, kernel, stride) if size >= kernel else 0
    half = kernel // 2
    theirs = conv_output(size, kernel, stride, half)
    lines = [
        f"TensorFlow SAME: ⌈{size} / {stride}⌉ = {out} outputs need ({out} − 1)·{stride} + {kernel} − {size} = "
        f"{_cells((out - 1) * stride + kernel - size)} of padding: {pad.before} before, {pad.after} after.",
        f"TensorFlow VALID: no padding, ⌈({size} − {kernel} + 1) / {stride}⌉ = {valid} outputs.",
        f"torch, padding {half}: {half} before and {half} after, {theirs} outputs.",
    ]
    if theirs != out:
        lines.append(f"The sizes differ, {out} against {theirs}: pad by hand to carry weights over.")
    elif half != pad.before:
        lines.append(
            f"The first window starts {pad.before} before the picture in TensorFlow, {half} before it in torch: "
            f"carried-over weights see it moved by {abs(half - pad.before)}."
        )
    else:
        lines.append("Both read the same windows here.")
    return "\n".join(lines)


def explain_cost(in_channels: int, out_channels: int, kernel: int, output: Sequence[int], *, groups: int = 1) -> str:
    """Parameters and multiply-adds of one convolution.

    >>> print(explain_cost(3, 64, 11, (55, 55)))
    One filter holds 3·11·11 = 363 weights, 64 filters 23,232, and 64 biases: 23,296 parameters.
    Each weight works once at each of 55·55 = 3,025 positions: 70,276,800 multiply-adds.
    """
    area, positions = kernel_area(kernel), conv_macs(1, 1, 1, output)
    each = in_channels // groups
    weights = conv_parameters(in_channels, out_channels, kernel, groups=groups, bias=False)
    group = f" (each sees {each} of {in_channels} channels)" if groups > 1 else ""
    return (
        f"One filter holds {each}·{kernel}·{kernel} = {each * area:,} weights{group}, "
        f"{out_channels} filters {weights:,}, and {out_channels} biases: {weights + out_channels:,} parameters.\n"
        f"Each weight works once at each of {'·'.join(map(str, output))} = {positions:,} positions: "
        f"{weights * positions:,} multiply-adds."
    )


def explain_two_3x3(channels: int = 256) -> str:
    """Why VGG stacks two 3×3 convolutions where others used one 5×5.

    >>> print(explain_two_3x3(256))
    Two 3×3 convolutions see 5×5 pixels, as one 5×5 does: 3 + (3 − 1)·1 = 5.
    They hold 2·9·256² = 1,179,648 weights, the 5×5 holds 25·256² = 1,638,400: 28 % fewer, and 28 % fewer multiply-adds.
    Between them stands a nonlinearity more, so they can also tell apart what a single 5×5 cannot.
    """
    field, _ = receptive_field([(3, 1), (3, 1)])
    two, one = 2 * 9 * channels**2, 25 * channels**2
    saved = f"{1 - two / one:.0%}".replace("%", " %")
    return (
        f"Two 3×3 convolutions see {field}×{field} pixels, as one 5×5 does: 3 + (3 − 1)·1 = {field}.\n"
        f"They hold 2·9·{channels}² = {two:,} weights, the 5×5 holds 25·{channels}² = {one:,}: {saved} fewer, and "
        f"{saved} fewer multiply-adds.\n"
        "Between them stands a nonlinearity more, so they can also tell apart what a single 5×5 cannot."
    )


def inception_cost(reduce: bool = True) -> tuple[int, int]:
    """Weights and multiply-adds of GoogLeNet's block 3a (5×5 as in the paper), with or without its 1×1 reductions.

    >>> inception_cost(True), inception_cost(False)
    ((163328, 128049152), (387072, 303464448))
    """
    if reduce:
        convolutions = [(WIDTH, THREE[0], 1), (*THREE, 3), (WIDTH, FIVE[0], 1), (*FIVE, 5), (WIDTH, POOLED, 1)]
    else:
        convolutions = [(WIDTH, THREE[1], 3), (WIDTH, FIVE[1], 5)]
    weights = sum(conv_parameters(*layer, bias=False) for layer in [(WIDTH, ONE, 1), *convolutions])
    return weights, weights * SIZE * SIZE


def explain_1x1() -> str:
    """What the 1×1 convolutions save inside an Inception block."""
    (with_weights, with_macs), (without_weights, without_macs) = inception_cost(True), inception_cost(False)
    return (
        "GoogLeNet's block 3a reads 28×28×192. Its 5×5 branch alone: 192 → 32 channels directly are 25·192·32 = "
        "153,600 weights;\nreduced to 16 channels by a 1×1 first, 192·16 + 25·16·32 = 15,872, a tenth.\n"
        f"The whole block: {with_weights:,} weights and {with_macs:,} multiply-adds with 1×1 reductions, "
        f"{without_weights:,} and {without_macs:,} without:\n"
        f"{without_macs / with_macs:.1f} times as much. Without them the pooled branch also hands all 192 channels on: "
        "416 come out instead of 256,\nand every following block pays for the extra ones again."
    )


def _cells(count: int) -> str:
    return f"{count} cell" if count == 1 else f"{count} cells"
