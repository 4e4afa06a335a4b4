"""The knives: every classic network, one paper a file, verified against its published form.

    import anmok
    net = anmok.networks.vgg16(num_classes=10, in_channels=1)
    print(anmok.networks.card("vgg16"))

A network's name means the function that builds it, also where its file has the same name. Importing this package
imports no torch; the first network asked for does.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import partial
from inspect import signature
from types import ModuleType
from typing import TYPE_CHECKING, Any

from anmok.core.errors import UsageError, nearest, unknown_name
from anmok.core.registry import Registry
from anmok.networks import _embedded

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

    from anmok.core.weights import Weights
    from anmok.networks._card import Card

# A network is tagged `@register("network")` if it classifies, `@register("segment network")` and so on if it does not.
NETWORKS: Registry[Callable[..., Any]] = Registry("anmok.networks", "network")
OF_TASK: Mapping[str, Registry[Callable[..., Any]]] = {
    "classify": NETWORKS,
    **{
        task: Registry("anmok.networks", f"{task} network")
        for task in ("segment", "detect", "reconstruct", "generate", "translate")
    },
}

TIMM = "timm:"


def build(
    name: str,
    *,
    num_classes: int | None,
    in_channels: int | None = 3,
    weights: str | Path | Weights | None = None,
    **kwargs: Any,
) -> nn.Module:
    """A network by name: one of `OF_TASK`, or `timm:<name>` for any network that timm knows.

    Networks that stand on another take its name behind a colon: `unet:resnet34`, `unet:timm:convnext_tiny`.

    Args:
        name: as in `OF_TASK`, or `timm:` and timm's name.
        num_classes: outputs; None: as many as the network has by default.
        in_channels: channels of the pictures; None: the network's default.
        weights: None for random ones; `"imagenet"` for the newest published file, downloaded on first use;
            `"imagenet-v1"` … for a certain one; or the path of a file. See `published`.
        kwargs: the network's own keywords.

    Raises:
        UsageError: for an unknown name, unknown weights, or a keyword the network does not have.
    """
    for keyword, value in (("num_classes", num_classes), ("in_channels", in_channels)):
        if value is not None:
            kwargs[keyword] = value
    function = _function(name)
    known = signature(function).parameters
    unknown = [keyword for keyword in kwargs if keyword not in known]
    if unknown and not any(parameter.kind is parameter.VAR_KEYWORD for parameter in known.values()):
        raise UsageError(f"{name} has no such keyword", got=", ".join(unknown), allowed=", ".join(known))
    return function(weights=weights, **kwargs)


def task_of(name: object) -> str | None:
    """Which task a network serves, by the names that `build` takes; None where it takes no such name."""
    if not isinstance(name, str):
        return None
    own = name.partition(":")[0]
    if own == TIMM.removesuffix(":"):
        return "classify"
    return next((task for task, networks in OF_TASK.items() if own in networks), None)


def demand(name: str, task: str) -> None:
    """Refuse a name of which `build` would make nothing that serves this task; quick, for before any work.

    Raises:
        UsageError: no such network, or one that serves another task.
    """
    serves, allowed = task_of(name), sorted(OF_TASK[task])
    if serves is None:
        raise unknown_name("network", name, allowed)
    if serves != task:
        raise UsageError(f"this network does not {task}; it is made to {serves}", got=repr(name),
                         allowed=", ".join(allowed))  # fmt: skip
    card(name)
    encoder = "" if name.startswith(TIMM) else _parts(name)[1]
    if encoder:
        demand(encoder, "classify")


def card(name: str) -> Card:
    """The card of a network, by the names that `build` takes. Printing it gives a page for the terminal."""
    if name.startswith(TIMM):
        from anmok.networks.timm_backbone import timm_card

        return timm_card(name.removeprefix(TIMM))
    return _parts(name)[0].card  # type: ignore[attr-defined]


def published(name: str) -> Mapping[str, Weights]:
    """The published weights of a network, oldest first: `{"imagenet-v1": Weights(…), …}`; empty where there are none.

    `weights="imagenet"` means the last of them. Of a network that stands on another (`unet:resnet34`) these are the
    other's files, whose published accuracy is not this network's.
    """
    if name.startswith(TIMM):
        return {}
    if name == _embedded.EMBEDDED:  # spares torch to whoever only decodes pictures for it
        return _embedded.WEIGHTS
    function, encoder = _parts(name)
    from anmok.networks._card import of_encoder

    return of_encoder(published(encoder)) if encoder else function.weights  # type: ignore[attr-defined]


def _function(name: str) -> Callable[..., nn.Module]:
    if name.startswith(TIMM):
        from anmok.networks.timm_backbone import timm_backbone

        return partial(timm_backbone, name.removeprefix(TIMM))
    function, encoder = _parts(name)
    return partial(function, encoder=encoder) if encoder else function


def _parts(name: str) -> tuple[Callable[..., nn.Module], str]:
    """A network's function, and the name of the encoder that stands behind a colon, or nothing."""
    own, colon, encoder = name.partition(":")
    for networks in OF_TASK.values():
        if own in networks:
            if colon and "encoder" not in signature(networks[own]).parameters:
                raise UsageError(f"{own} stands on no other network", got=repr(name), allowed=own, fix=own)
            return networks[own], encoder
    raise unknown_name("network", name, [known for networks in OF_TASK.values() for known in networks])


def __getattr__(name: str) -> Any:
    if not name.startswith("_"):
        for networks in OF_TASK.values():
            if name in networks:
                return networks[name]
        if name in globals():  # scanning the room has just bound a submodule of this name
            return globals()[name]
    guess = None if name.startswith("_") else nearest(name, NETWORKS)
    hint = f"; did you mean {guess!r}?" if guess else ""
    raise AttributeError(f"module {__name__!r} has no network {name!r}{hint}")


def __dir__() -> list[str]:
    return sorted({*globals(), *(name for networks in OF_TASK.values() for name in networks)})


class _Room(ModuleType):
    """Binds a network's name to its function where import would bind it to the file of the same name."""

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, ModuleType) and name in vars(value):
            value = vars(value)[name]
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Room
