"""The model card inside a shipped model: what it is, can and needs, for whoever finds the file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from anmok.core.preparation import Preparation
from anmok.core.strangeness import Threshold
from anmok.ship.artefact import DECODING, INPUT, Manifest

_NAMED = 40  # classes listed before "and more"
_FITS = {
    "crop": "the shorter side becomes {store} pixels, the central {size} × {size} are looked at",
    "squash": "stretched to {store} × {store} pixels whatever its proportions, the central {size} × {size} looked at",
    "pad": "the longer side becomes {store} pixels, the rest is filled with the mean colour",
    "window": "they are looked at tile by tile, at their own size, and overlapping answers are blended",
}


def model_card(manifest: Manifest, card: Mapping[str, Any]) -> str:
    """Markdown.

    Args:
        manifest: the shipped model's.
        card: the run's card; of a network without a run: empty.
    """
    sees = _pictures(manifest.preparation) if manifest.takes == INPUT else _codes(manifest)
    return "\n".join([*_use(manifest), *sees, *_measured(card), *_origin(manifest, card)])


def _use(manifest: Manifest) -> Iterator[str]:
    yield f"# {manifest.title}\n"
    yield f"Task: {manifest.task}.\n"
    classes = manifest.answers.get("classes")
    if classes:
        more = f" and {len(classes) - _NAMED:,} more" if len(classes) > _NAMED else ""
        yield f"{len(classes):,} classes: {', '.join(classes[:_NAMED])}{more}.\n"
    threshold = manifest.answers.get("threshold")
    if threshold is not None:
        yield f'Below a certainty of {threshold:.3f} the better answer is "I don\'t know".\n'
    usual = manifest.answers.get("usual")
    if usual is not None:
        yield f"{Threshold.from_json(usual).sentence}.\n"
    if manifest.takes != INPUT:
        yield "## Use\n\n    pip install anmok onnxruntime    # or openvino\n    anmok generate FILE --seeds 0-15\n"
        return
    search = manifest.answers.get("search")
    besides = "" if search is None else " opencv-contrib-python-headless"
    yield f"## Use\n\n    pip install anmok-runtime onnxruntime{besides}    # or openvino; no torch"
    yield "    anmok predict FILE photos/\n"
    outputs = ", ".join(f"`{name}`" for name in manifest.outputs)
    further = "".join(f" and `{name}`" for name in manifest.further)
    yield (
        f"The graph itself takes `{INPUT}`, uint8 (N, {manifest.preparation.size}, {manifest.preparation.size}, "
        f"{manifest.preparation.channels}){further}, normalises inside, and gives {outputs} ({manifest.numbers})."
    )
    if search is not None:
        said = ", ".join(f"{name} {value}" for name, value in search.items())
        yield (
            f"`{manifest.further[0]}`, float32 (N, R, 4): left, top, right and bottom of what selective search finds "
            f"in each picture ({said}; `anmok.core.selective_search`); empty ones fill pictures up."
        )
    if "temperature" in manifest.answers:
        yield f"Probabilities: softmax of logits / {manifest.answers['temperature']:.4f}."
    yield ""


def _pictures(preparation: Preparation) -> Iterator[str]:
    yield "## What it sees\n"
    kind = "grey" if preparation.channels == 1 else "RGB"
    yield (
        f"Decoded by these rules: {DECODING}. Then {_FITS[preparation.fit].format(**preparation.to_json())} "
        f"({preparation.interpolation}), {kind}, minus mean {list(preparation.mean)} and divided by "
        f"{list(preparation.std)} on the scale from 0 to 1.\n"
    )


def _codes(manifest: Manifest) -> Iterator[str]:
    latent, classes = manifest.answers["latent"], len(manifest.answers["classes"])
    size, channels = manifest.preparation.size, manifest.preparation.channels
    yield "## What it takes\n"
    yield (
        f"The graph takes `{manifest.takes}`, float32 (N, {latent + classes + 1}): {latent} numbers from N(0, 1), the "
        f"class as {classes} one-hot numbers, and the truncation, 1 for all variety. It gives "
        f"`{manifest.outputs[0]}`, uint8 (N, {size}, {size}, {channels}). Which code a seed stands for says "
        "`anmok.core.codes`.\n"
    )


def _measured(card: Mapping[str, Any]) -> Iterator[str]:
    metrics = card.get("metrics") or {}
    if not metrics:
        return
    yield "## How good it is\n"
    yield "With 95 % intervals, before export; nothing is known about pictures of another kind than these.\n"
    yield "| split | figure | value | from | to |\n|---|---|---|---|---|"
    for split, figures in metrics.items():
        for name, figure in figures.items():
            low, high = ("–" if figure[end] is None else f"{figure[end]:.4f}" for end in ("low", "high"))
            yield f"| {split} | {name.replace('_', ' ')} | {figure['value']:.4f} | {low} | {high} |"
    yield ""


def _origin(manifest: Manifest, card: Mapping[str, Any]) -> Iterator[str]:
    yield "## Compared before it was written\n"
    for what, found in manifest.parity.items():
        yield f"* {what}: {found['sentence']}"
    yield "\n## Where it comes from\n"
    data = card.get("data")
    if data:
        yield f"* data: {data['format']}, splits {data['splits']}, fingerprint {data['fingerprint']}"
    for name, value in manifest.origin.items():
        yield f"* {name}: {value}"
    yield ""
