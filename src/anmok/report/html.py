"""Small pieces of HTML. Whatever comes from outside goes through `text`, so that it cannot become markup."""

from __future__ import annotations

import base64
import html
import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from PIL import Image

from anmok.report.content import Picture

PIXELATED_BELOW = 100  # sides up to this many pixels are magnified as squares, not smeared
UNSHOWN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069\ufffe\uffff]")
LARGEST_SIDE = 360  # a picture in the report is a thumbnail, so that the file can be sent by mail


def text(value: object) -> str:
    """A value as inert text: no class name, path or message can become markup, in content or in an attribute.

    Control characters, halves of surrogate pairs and marks that turn the reading direction are shown as �.
    """
    return html.escape(UNSHOWN.sub("�", str(value)), quote=True)


def per_cent(value: float, digits: int = 1) -> str:
    """A share as per cent; a dash where there is none. Only a true 0 or 1 is shown as 0 or 100.

    >>> per_cent(0.9158), per_cent(0.9998), per_cent(1.0), per_cent(float("nan"))
    ('91.6\\u202f%', '99.98\\u202f%', '100.0\\u202f%', '–')
    """
    if not math.isfinite(value):
        return "–"
    while digits < 4 and 0 < value < 1 and round(100 * value, digits) in (0, 100):
        digits += 1
    return f"{100 * value:.{digits}f}\u202f%"


def shortened(name: object, most: int = 20) -> str:
    """A path or row name, its middle left out where it is long: the end tells pictures apart.

    >>> shortened("t10k-images-idx3-ubyte.gz:1603")
    't10k-im…yte.gz:1603'
    """
    shown = str(name)
    return shown if len(shown) <= most else f"{shown[: most // 3 + 1]}…{shown[-(most - most // 3 - 3) :]}"


def number(value: float) -> str:
    """A number to four significant digits, or whole with thin spaces between thousands.

    >>> number(0.123456), number(1234567), number(0.25), number(1e-9)
    ('0.1235', '1\\u202f234\\u202f567', '0.25', '1e-09')
    """
    if isinstance(value, float) and not math.isfinite(value):
        return "–"
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}".replace(",", "\u202f")
    return f"{value:.4g}"


def section(key: str, title: str, *parts: str) -> str:
    """A titled section, or nothing where all parts are empty."""
    body = "".join(parts)
    return f'<section id="{key}"><h2>{text(title)}</h2>{body}</section>' if body else ""


def facts(pairs: Mapping[str, object]) -> str:
    """Names and values as a definition list."""
    rows = "".join(f"<div><dt>{text(name)}</dt><dd>{text(value)}</dd></div>" for name, value in pairs.items())
    return f'<dl class="facts">{rows}</dl>' if rows else ""


def notes(sentences: Iterable[object], kind: str = "warning") -> str:
    """Sentences that ask for attention."""
    rows = "".join(f"<li>{text(sentence)}</li>" for sentence in sentences)
    return f'<ul class="notes {kind}">{rows}</ul>' if rows else ""


def fold(title: str, body: str, opened: bool = False) -> str:
    """Something long that opens on a click; printed open by the style sheet where the browser can."""
    return f"<details{' open' if opened else ''}><summary>{text(title)}</summary>{body}</details>" if body else ""


def table(head: Iterable[str], rows: Iterable[Iterable[str]], kinds: str, caption: str = "") -> str:
    """A table of ready markup in its own scrolling box. `kinds`: one letter a column, `t` text or `n` number."""
    cells = [("td class=n" if kind == "n" else "td") for kind in kinds]
    heads = "".join(f'<th scope="col"{" class=n" if kind == "n" else ""}>{text(name)}</th>'
                    for name, kind in zip(head, kinds, strict=True))  # fmt: skip
    body = "".join(
        "<tr>" + "".join(f"<{cell}>{value}</td>" for cell, value in zip(cells, row, strict=True)) + "</tr>"
        for row in rows
    )
    title = f"<caption>{text(caption)}</caption>" if caption else ""
    return f'<div class="scroll"><table>{title}<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>'


def strips(shown: Mapping[str, Sequence[Picture]]) -> str:
    """Pictures side by side, a strip for each caption."""
    figures = "".join(
        f'<figure><div class="strip">{"".join(image(picture, caption) for picture in pictures)}</div>'
        f"<figcaption>{text(caption)}</figcaption></figure>"
        for caption, pictures in shown.items()
        if len(pictures)
    )
    return f'<div class="samples">{figures}</div>' if figures else ""


def image(picture: Picture, alt: str, lazy: bool = True) -> str:
    """A picture inside the page. Small ones are magnified as crisp squares."""
    data, kind, (width, height) = _encoded(picture)
    crisp = " class=crisp" if max(width, height) <= PIXELATED_BELOW else ""
    source = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    loading = " loading=lazy" if lazy else ""
    return f'<img{crisp} src="{source}" width="{width}" height="{height}" alt="{text(alt)}"{loading}>'


def _encoded(picture: Picture) -> tuple[bytes, str, tuple[int, int]]:
    """File bytes, `png` or `jpeg`, and (width, height). Arrays that are too large are made smaller."""
    if isinstance(picture, bytes):
        with Image.open(io.BytesIO(picture), formats=("PNG", "JPEG")) as opened:
            return picture, str(opened.format).lower(), opened.size
    array = np.asarray(picture)
    array = array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array
    small = Image.fromarray(np.ascontiguousarray(array, dtype=np.uint8))
    stream = io.BytesIO()
    if max(small.size) <= PIXELATED_BELOW:
        small.save(stream, "PNG", optimize=True)
        return stream.getvalue(), "png", small.size
    small.thumbnail((LARGEST_SIDE, LARGEST_SIDE), Image.Resampling.LANCZOS)
    small.save(stream, "JPEG", quality=85)
    return stream.getvalue(), "jpeg", small.size
