"""What each verb can be told. Flags, settings files, saved settings and keyword arguments all derive from these models.

This file imports no torch, so that `anmok train --help` answers at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from anmok.verbs.setting import (
    GROUP_BY,
    WEIGHTS,
    Count,
    DataSettings,
    NewPlace,
    Settings,
    Share,
    TaskName,
    Wish,
    duration,
    only,
)


class CheckSettings(DataSettings):
    """Look at a data set before training: what it is, what is in it, what is wrong with it."""

    task: TaskName | None = Field(None, description="What it is for, where that is not clear by itself.")
    to: tuple[str, NewPlace] | None = Field(
        None, description="Write boxes in another form into a new folder: --to coco|voc|yolo|csv_boxes OUT."
    )
    decode: bool = Field(True, description="Decode every picture fully; --no-decode looks at names and tables only.")
    workers: Annotated[int, Field(ge=0)] | None = Field(None, description="Decoding processes; default: the cores.")
    labels: bool = Field(True, description="Look for labels that are probably wrong; --no-labels saves the time.")
    group_by: str | None = Field(None, description=GROUP_BY)
    augment: bool = Field(False, description="Also measure which augmentation keeps a picture's class.")
    html: NewPlace | None = Field(None, description="HTML file for what was found; the command: in runs/check.")
    split: NewPlace | None = Field(None, description="Write a split without leaks here, for anmok train --split.")
    val: Share | None = Field(None, description="Share kept for validation by --split; default: 0.1, at most 3,000.")
    test: Share = Field(0.1, description="Share of all pictures kept for the test by --split.")
    seed: int = Field(0, description="The split follows from it.")


class EvalSettings(DataSettings):
    """Measure a run on its test split, or on other data."""

    split: Literal["train", "val", "test"] = Field("test", description="Which split of the data.")
    group_by: str | None = Field(None, description=GROUP_BY)
    reject_accuracy: Wish | None = only(
        "classify", default=None,
        description='Say "I don\'t know" often enough for this accuracy among the answered; kept for predict.',
    )  # fmt: skip
    reject_coverage: Wish | None = only(
        "classify", default=None,
        description='Say "I don\'t know" to all but this share of pictures; kept for predict.',
    )  # fmt: skip
    unseen: Path | None = only(
        "classify", "reconstruct", default=None, description="Pictures of kinds never learned: does the run tell them?"
    )
    is_: str | None = only(
        "classify", default=None, description='Measure a yes/no question on pictures of two classes: --is "hot dog".'
    )
    weights: str | None = Field(None, description=WEIGHTS)
    report: NewPlace | None = Field(None, description="Write what was found, with pictures, to this HTML file.")
    leaks: bool = only(
        "classify",
        default=False,
        description="Look among any number of pictures for near copies of those learned from, and say what the score "
        "owes to them; by default among up to 5,000, beyond only for the same pixels.",
    )
    batch: Count = Field(500, description="Pictures at once.")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1, mps.")


class PredictSettings(Settings):
    """Answer for pictures: files, folders and globs."""

    top: Count = Field(1, description="Answers a picture.")
    is_: str | None = only("classify", default=None, description='Ask a yes/no question: --is "hot dog".')
    weights: str | None = Field(None, description=WEIGHTS)
    to: NewPlace | None = Field(None, description="Write to this file: .csv, .jsonl or .parquet; default: a table.")
    into: str | None = only(
        "translate", default=None, description="Translate into this domain, by its name, or A or B; default: B."
    )
    reject_below: Annotated[float, Field(ge=0, le=1)] | None = only(
        "classify", default=None,
        description="Certainty below which the answer is \"I don't know\"; default: the run's own; 0: never.",
    )  # fmt: skip
    batch: Count = Field(64, description="Pictures at once.")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1, mps.")
    engine: Literal["auto", "torch", "onnxruntime", "openvino"] = Field(
        "auto", description="What computes; default: the fastest here whose answers are the same."
    )


class ExplainSettings(Settings):
    """Show why a network answered as it did: class activation drawn over the picture."""

    method: str = Field("class_activation", description="class_activation, integrated_gradients or occlusion.")
    target: str | None = Field(None, description="Explain this class; default: the answer.")
    box: Count | None = only(
        "detect", default=None, description="Explain this one of the answered boxes; default: 1, the surest."
    )
    weights: str | None = Field(None, description=WEIGHTS)
    layer: str | None = Field(None, description="Layer whose maps are weighed; default: the last convolution.")
    out: NewPlace | None = Field(None, description="PNG to write; default: into the run, or here.")
    verdict: bool = Field(True, description="Test whether the map depends on the weights, and say so.")


class InspectSettings(Settings):
    """What a network is: layer by layer, as a drawing, and what its filters and maps look like."""

    imgsz: Annotated[int, Field(ge=1, le=8192)] | None = Field(None, description="Side in pixels; default: its own.")
    channels: Count | None = Field(None, description="Channels of the picture; default: the network's own.")
    num_classes: Count | None = Field(None, description="Outputs of a network by its name; default: its own.")
    weights: str | None = Field(None, description="imagenet, or a file; default: random ones, enough for structure.")
    depth: Annotated[int, Field(ge=0)] | None = Field(None, description="How far to unfold; default: a screenful.")
    draw: NewPlace | None = Field(None, description="Draw the network to this .svg or .png file.")
    picture: Path | None = Field(None, description="Show the filters and the maps this picture makes.")
    layer: str | None = Field(None, description="Layer whose filters and maps are shown; default: the first.")
    out: Path = Field(Path(), description="Folder for pictures of filters and maps.")
    card: bool = Field(True, description="Show the card of a known network.")
    codes: bool = only("reconstruct", default=False, description="Show the space of codes: maps, walks, neighbours.")
    walk: tuple[Path, Path] | None = only("reconstruct", default=None, description="Of --codes: walk between two.")
    map: Literal["tsne", "umap"] = only("reconstruct", default="tsne", description="Of --codes: its second map.")


class CompareSettings(Settings):
    """Which knife: structure, published accuracy, and cost measured on this machine."""

    task: Literal["auto"] | TaskName = Field(
        "auto", description="Train networks of this task on the same pictures (--data) and time their parts."
    )
    data: str | None = Field(None, description="Try the networks, frozen, on these labelled pictures too.")
    weights: str | None = Field(None, description="For --data: imagenet downloads published weights that are not here.")
    imgsz: Annotated[int, Field(ge=1, le=2048)] = Field(224, description="Side of the pictures in pixels.")
    channels: Count = Field(3, description="Channels of the pictures.")
    num_classes: Count = Field(1000, description="Classes.")
    pictures: Count = Field(1000, description="Training pictures the advice reckons with.")
    time: Annotated[float | None, BeforeValidator(duration)] = Field(None, description="Time for training, e.g. 30m.")
    epochs: Count | None = Field(None, description="With --task: passes over the training pictures.")
    project: Path = Field(Path("runs"), description="With --task: folder of all runs.")
    seed: int = Field(0, description="With --task: everything random follows from it.")
    batch: Count = Field(8, description="Pictures at once.")
    seconds: Annotated[float, Field(gt=0)] = Field(1.0, description="How long each measurement goes on.")
    measure: bool = Field(True, description="Measure speed and memory; --no-measure compares structure only.")
    out: NewPlace | None = Field(None, description="Draw to this PNG or SVG; with --task also a page (.html).")


class ExportSettings(Settings):
    """One file that answers without torch, written only if its answers equal the run's."""

    to: Literal["onnx", "openvino"] = Field("onnx", description="The graph's form; ONNX runs on OpenVINO, too.")
    int8: bool = Field(False, description="Whole numbers for weights and maps, where that keeps the accuracy.")
    max_loss: Share = Field(0.01, description="Accuracy that --int8 may cost, a share of the validation pictures.")
    out: NewPlace | None = Field(None, description="The .anmok file; default: in the run's folder, or here.")
    data: Path | None = Field(None, description="Pictures to compare on; default: the run's validation pictures.")
    weights: str | None = Field(None, description=WEIGHTS)
    into: str | None = only(
        "translate", default=None, description="Ship the way into this domain, by its name, or A or B; default: B."
    )


class DemoSettings(Settings):
    """The whole journey on bundled pictures, offline, in about a minute."""

    out: NewPlace = Field(Path("runs"), description="Folder of all runs.")
    epochs: Count = Field(45, description="Passes over the training pictures; 45 take about a minute on two cores.")
    seed: int = Field(0, description="Everything random follows from it.")
