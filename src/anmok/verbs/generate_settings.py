"""What `anmok generate` can be told; see `anmok.verbs.settings`. This file imports no torch."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from anmok.verbs.setting import Count, NewPlace, Settings, listed


class GenerateSettings(Settings):
    """Draw pictures from seeds: a seed names a picture, which can be had again."""

    seeds: Annotated[str, BeforeValidator(listed)] = Field("0-15", description="Seeds: 0-15, 7, or 3,7,20-22.")
    classes: Annotated[str | None, BeforeValidator(listed)] = Field(
        None, description="Classes by name, a row each: 'Coat,Bag', or all; default: what each seed stands for."
    )
    truncation: Annotated[str, BeforeValidator(listed)] = Field(
        "1", description="Below 1: less variety, likelier pictures; several, a row each: 0.3,0.5,0.7,1."
    )
    walk: bool = Field(False, description="What lies between the seeds, a row from each to the next.")
    steps: Annotated[int, Field(ge=2, le=1000)] = Field(8, description="Pictures in a row of --walk.")
    mix: Annotated[str | None, BeforeValidator(listed)] = Field(
        None, description="Seeds whose fine styles meet the coarse ones of --seeds; runs of stylegan and stylegan2."
    )
    crossover: Count | None = Field(None, description="First layer of the fine styles; default: the middle one.")
    single: bool = Field(True, description="Also write every picture by itself; --no-single: the sheet alone.")
    out: NewPlace | None = Field(None, description="Folder to write into; default: generated, in the run's.")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1, mps.")
