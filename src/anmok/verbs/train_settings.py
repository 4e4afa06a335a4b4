"""What `anmok train` can be told; see `anmok.verbs.settings`. This file imports no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from anmok.verbs.setting import (
    GROUP_BY,
    Count,
    DataSettings,
    Share,
    TaskName,
    duration,
    only,
    overlap,
    plain_name,
)


class TrainSettings(DataSettings):
    """Learn from a folder, table or archive of pictures."""

    task: Literal["auto"] | TaskName = Field("auto", description="What to learn; auto: what the data is made for.")
    net: str = Field("auto", description="A network of `anmok compare`, or timm:<name>; auto chooses by the data.")
    epochs: Count | None = Field(None, description="Passes over the training pictures; default: by their number.")
    time: Annotated[float | None, BeforeValidator(duration)] = Field(
        None, description="Time budget such as 90s or 5m; the schedule is planned to end within it."
    )
    batch: Count | None = Field(None, description="Pictures a step.")
    imgsz: Annotated[int, Field(ge=8, le=1024)] | None = Field(None, description="Side in pixels the network sees.")
    optimizer: Literal["muon", "sgd", "adamw"] | None = Field(None, description="Default: muon.")
    lr: Annotated[float, Field(gt=0)] | None = Field(None, description="Highest learning rate of the schedule.")
    weight_decay: Annotated[float, Field(ge=0)] | None = Field(None, description="On kernels and matrices only.")
    label_smoothing: Share | None = only(
        "classify", "multilabel", default=None, description="Share of every target spread over all classes."
    )
    average: Share | None = Field(None, description="Decay a step of averaged weights (EMA); 0 turns it off.")
    patience: Count | None = Field(None, description="Stop after this many epochs without a better validation figure.")
    flip: bool | None = Field(None, description="Mirror pictures; default: measured whether that keeps their class.")
    rotate: Annotated[float, Field(ge=0, le=180)] | None = Field(None, description="Largest angle in degrees.")
    shift: Annotated[float, Field(ge=0, le=0.5)] | None = Field(None, description="Largest move, share of the side.")
    crop: Annotated[float, Field(gt=0.1, le=1)] | None = Field(None, description="Smallest random crop, share of side.")
    colour: Annotated[float, Field(ge=0, le=1)] | None = Field(None, description="Change of brightness and colour.")
    cutout: Annotated[float, Field(ge=0, le=1)] | None = Field(None, description="Grey square, share of the side.")
    mixup: Annotated[float, Field(ge=0, le=10)] | None = only(
        "classify", "multilabel", default=None, description="α of blended pairs; 0 turns it off."
    )
    flip_vertical: bool | None = only(
        "segment", "detect", default=None, description="Also mirror up and down, where nothing in pictures is upright."
    )
    elastic: Annotated[float, Field(ge=0, le=0.2)] | None = only(
        "segment", default=None, description="Bend pictures and masks by so much of the side, as U-Net's authors did."
    )
    loss: str | None = only(
        "segment", "generate", default=None,
        description="A sum such as 'cross_entropy + dice', 'focal', '0.5 dice + focal'; of two players: "
        "non-saturating, least-squares, hinge or wasserstein.",
    )  # fmt: skip
    border_weight: Annotated[float, Field(ge=0, le=1000)] | None = only(
        "segment", default=None, description="What pixels in narrow gaps between objects weigh more; U-Net's w0 is 10."
    )
    seams: bool | None = only(
        "segment", default=None,
        description="Learn the seams between touching objects, to tell them apart; default: where things of one kind "
        "touch.",
    )  # fmt: skip
    windows: bool | None = only(
        "segment", default=None,
        description="Learn on windows of large pictures, answer tile by tile; default: by the structures' size.",
    )  # fmt: skip
    nms: Annotated[float | Literal["soft"] | None, BeforeValidator(overlap)] = only(
        "detect", default=None,
        description="Overlap above which the less sure of two boxes of one class goes; soft: it loses certainty "
        "instead; default: 0.6, or what the detector's paper has.",
    )  # fmt: skip
    balance: Literal["none", "weights", "sampling"] | None = only(
        "classify", "multilabel", "segment", default=None,
        description="Of uneven classes: weigh rare ones up, or draw all equally often; default: by measurement.",
    )  # fmt: skip
    weights: str | None = only(
        "classify", "multilabel", "segment", default=None,
        description="Start from published weights: imagenet, or random; default: published ones for photographs.",
    )  # fmt: skip
    freeze: Annotated[str, Field(pattern=r"^(all|none|\d+)$")] | None = only(
        "classify", "multilabel", default=None,
        description="Of a pretrained network learns only the last layer (all frozen), everything (none), or all but "
        "so many first blocks; default: all, with --time none.",
    )  # fmt: skip
    focus: bool | None = only(
        "classify", default=None,
        description="After one epoch show more often what is in doubt; default: from 10,000 pictures.",
    )  # fmt: skip
    corrupt: str | None = only(
        "reconstruct", default=None,
        description="Damage to learn to repair: noise, blur, jpeg, boxes, strokes, lowres; 'noise:0.2' for a strength.",
    )  # fmt: skip
    latent: Count | None = only("reconstruct", "generate", default=None, description="Numbers in the code.")
    beta: Annotated[float, Field(ge=0)] | None = only(
        "reconstruct", default=None, description="Weight of a VAE's KL term; 1 in the paper."
    )
    novelty: Literal["reconstruction", "code", "patches"] | None = only(
        "reconstruct", default=None,
        description="How unusual pictures are told: by what cannot be repeated, by their codes, or by a pretrained "
        "network's patches; default: reconstruction, where nothing is repaired.",
    )  # fmt: skip
    conditional: bool | None = only(
        "generate", default=None, description="Draw pictures by class; default: where the data has classes."
    )
    r1: Annotated[float, Field(ge=0)] | None = only(
        "generate", default=None, description="Weight γ of R1, which calms a discriminator; default: for stylegan."
    )
    progressive: bool | None = only(
        "generate", default=None, description="Pictures grow while stylegan learns, from 8 pixels on."
    )
    features: str | None = only(
        "generate", default=None,
        description="By what drawn pictures are judged: imagenet (installed), or a classification run's folder.",
    )  # fmt: skip
    cycle: Annotated[float, Field(ge=0)] | None = only(
        "translate", default=None, description="What a picture that comes back changed costs CycleGAN; 10 in the paper."
    )
    identity: Annotated[float, Field(ge=0)] | None = only(
        "translate", default=None, description="Share of --cycle that changing a picture of the target costs; 0.5."
    )
    pool: Annotated[int, Field(ge=0)] | None = only(
        "translate", default=None, description="Earlier translations that judges are shown; 50 in the paper."
    )
    width: Count | None = only(
        "translate", default=None, description="Channels of the first convolution; 64 in the papers."
    )
    find_lr: bool = Field(False, description="First find a learning rate on a throwaway copy, draw the curve, use it.")
    tensorboard: bool = Field(False, description="Also write curves for TensorBoard, into the run's folder.")
    split: Path | None = Field(None, description="A split.csv, as anmok check --split writes it.")
    group_by: str | None = Field(None, description=GROUP_BY)
    val: Share | None = Field(None, description="Share kept for validation; default: 0.1, at most 3,000 pictures.")
    test: Share = Field(0.1, description="Share of all pictures kept for the test, where none is given.")
    seed: int = Field(0, description="Everything random follows from it.")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1, mps.")
    precision: Literal["auto", "float32", "bf16", "fp16"] = Field("auto", description="auto: bf16 where it is fast.")
    workers: Annotated[int, Field(ge=0, le=64)] = Field(0, description="Processes that make batches ahead.")
    save_every: Annotated[float, BeforeValidator(duration)] = Field(
        60.0, description="Time between checkpoints inside an epoch, such as 60s."
    )
    sample_log: bool = Field(False, description="Write state/samples.log: the pictures of every batch, in order.")
    project: Path = Field(Path("runs"), description="Folder of all runs.")
    name: Annotated[str | None, AfterValidator(plain_name)] = Field(None, description="Name of the run's folder.")
    resume: Path | None = Field(None, description="Go on with this run; everything else is as it was started.")
