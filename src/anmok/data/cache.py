"""Decode each picture once per size: into a file of pixels that later epochs and runs read.

`build` goes through all pictures once, in any case, so that every bad picture is known before training starts. What
comes of the pixels depends on what they need:

- an array that has the right size already is used as it is;
- up to the limit, pixels go to a cache file, which is used again as long as files and settings stay the same;
- beyond the limit, or where the disk is full, pictures are decoded again whenever they are needed, and only the list
  of bad ones is kept.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import PIL

from anmok.core.errors import PictureError
from anmok.core.pictures import RULES
from anmok.core.preparation import Preparation
from anmok.core.types import Dataset, Quarantined
from anmok.data.cache_folder import Draft, PixelCache, cache_folder
from anmok.data.decoding import TIMEOUT, DecodingPool
from anmok.data.findings import Findings
from anmok.data.pixel_sources import ArrayPixels, FiledPixels, PixelSource, StreamedPixels
from anmok.data.records import Layout
from anmok.data.stores import ArrayPictures
from anmok.data.window_sources import FiledWindows, StreamedWindows, WindowSource

_LAYOUT = 1  # version of the cache's files

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Built:
    """Stored pictures of a data set.

    `source.gather(rows)`: pixels by row, where row k is entry k of the data set given to `build`. `rows` are the rows
    of the good pictures in order: entry k of `dataset.without(built.quarantined, built.bad_ids)` is row `rows[k]`.
    `kind` is "array", "cache" or "stream"; `reused` says that nothing had to be decoded.
    """

    source: Any  # a `PixelSource`; a `WindowSource` where records hold whole pictures
    rows: np.ndarray
    quarantined: list[Quarantined] = field(default_factory=list)
    bad_ids: set[str] = field(default_factory=set)
    warnings: tuple[str, ...] = ()
    kind: str = "cache"
    reused: bool = False


def build(
    dataset: Dataset,
    preparation: Preparation | Layout,
    *,
    directory: Path | None = None,
    limit: int | None = None,
    workers: int | None = None,
    timeout: float = TIMEOUT,
    on_progress: Progress | None = None,
) -> Built:
    """Decode the entries' pictures, or find that this was done before.

    Args:
        dataset: only `entries`, `pictures` and `unit` are used.
        preparation: which size, channels and fit; a `Layout` with a data set that `anmok.data.records.labelled` made.
        directory: folder of all caches; None takes `ANMOK_CACHE` or the user's cache folder.
        limit: bytes that this cache may take; None takes 8 GiB, or 20 % of the free disk if that is less.
        workers, timeout: see `anmok.data.decoding.DecodingPool`.
        on_progress: called with (pictures done, pictures in all) some times a second.
    """
    if not len(dataset):
        return Built(ArrayPixels(np.empty((0, *preparation.shape), np.uint8), np.arange(0)), np.arange(0), kind="array")
    order = _rows_as_they_are(dataset, preparation)
    if order is not None:
        array = dataset.pictures.array  # type: ignore[attr-defined]
        return Built(ArrayPixels(array, order), np.arange(len(order)), kind="array")
    cache, key = PixelCache(directory or cache_folder(), limit), fingerprint(dataset, preparation)
    job = _Job(dataset, preparation, workers, timeout)

    def told(written: int) -> None:
        _report(on_progress, job.pictures_in(written), len(dataset))

    with ExitStack() as stack:
        try:
            stack.enter_context(cache.building(key, told))
        except OSError as error:
            return job.stream(error, on_progress)
        return job.find(cache, key) or job.keep(cache, key, on_progress)


def fingerprint(dataset: Dataset, preparation: Preparation | Layout) -> str:
    """Names the stored pixels: by the entries' files and times, their order, the settings, and the decoder."""
    settings = {"layout": _LAYOUT, "rules": RULES, "pillow": PIL.__version__, **preparation.pixel_settings}
    digest = hashlib.blake2b(json.dumps(settings, sort_keys=True).encode(), digest_size=16)
    pictures = dataset.pictures
    digest.update(f"{type(pictures).__name__}:{getattr(pictures, 'root', '')}".encode(errors="surrogateescape"))
    for entry in dataset.entries:
        try:
            identity = pictures.identity(entry.locator)
        except PictureError:
            identity = b"unreadable"
        for part in (str(entry.locator).encode(errors="surrogateescape"), identity):
            digest.update(len(part).to_bytes(4, "little") + part)
    return digest.hexdigest()


def _rows_as_they_are(dataset: Dataset, preparation: Preparation | Layout) -> np.ndarray | None:
    """Row numbers of array-backed pictures that need no work, or None."""
    pictures = dataset.pictures
    if not isinstance(pictures, ArrayPictures) or pictures.array.shape[1:] != preparation.shape:
        return None
    rows = np.array([entry.locator for entry in dataset.entries])
    whole = np.issubdtype(rows.dtype, np.integer) and bool(((rows >= 0) & (rows < len(pictures.array))).all())
    return rows if whole else None


@dataclass(frozen=True)
class _Job:
    """One data set to be decoded at one size."""

    dataset: Dataset
    preparation: Preparation | Layout
    workers: int | None
    timeout: float

    @property
    def shape(self) -> tuple[int, ...]:
        return len(self.dataset), *self.preparation.shape

    def pictures_in(self, written: int) -> int:
        """How many pictures so many bytes of the cache hold; 0 where that cannot be known."""
        return 0 if self._whole else min(written // math.prod(self.preparation.shape), len(self.dataset))

    @property
    def _locators(self) -> list[str | int]:
        return [entry.locator for entry in self.dataset.entries]

    @property
    def _whole(self) -> Layout | None:
        """The layout, where records have a length each."""
        return self.preparation if isinstance(self.preparation, Layout) and self.preparation.whole else None

    def _bytes(self, sizes: Iterable[Sequence[int]] | None) -> int:
        """Bytes that all pixels take, their pictures being of these sizes."""
        whole = self._whole
        if whole is None:
            return math.prod(self.shape)
        return sum(whole.length((height, width)) for height, width in sizes or () if height)

    def _declared(self) -> Iterator[tuple[int, int]]:
        """The sizes that the pictures' headers tell, (0, 0) where they cannot be read."""
        for locator in self._locators if self._whole else ():
            try:
                yield self.dataset.pictures.frame(locator).size  # type: ignore[attr-defined]
            except PictureError:
                yield 0, 0

    def find(self, cache: PixelCache, key: str) -> Built | None:
        """What an earlier build left, if it is whole and its bad pictures are still bad."""
        about, pixels, size = cache.find(key)
        if about is None:
            return None
        try:
            findings = Findings.from_json(about)
        except (LookupError, TypeError, ValueError):
            return None
        need = self._bytes(findings.sizes)
        if (self._whole and len(findings.sizes or ()) != len(self.dataset)) or (size != need and need <= cache.room()):
            return None
        # Permissions can be mended without a new time of change. What crashed or stalled is not tried again.
        again = [self.dataset.entries[bad.row].locator for bad in findings.bad if not bad.lost]
        with self._pool() as pool:
            if not all(isinstance(found, PictureError) for found in pool.map(again)):
                return None
        return self._built(findings, pixels if size == need else None, _too_large(need, cache), reused=True)

    def keep(self, cache: PixelCache, key: str, on_progress: Progress | None) -> Built:
        """Decode all into the cache, if there is room, and tidy the cache."""
        need = self._bytes(self._declared())
        blank = 0 if self._whole else math.prod(self.preparation.shape)
        draft = Draft(cache, key, blank, with_pixels=need <= cache.room())
        try:
            findings = self.decode(draft, on_progress)
            pixels = draft.publish(findings.to_json())
        finally:
            draft.discard()
        with suppress(OSError):
            cache.evict(keep=key)
        return self._built(findings, pixels, _no_cache(draft.trouble) if draft.trouble else _too_large(need, cache))

    def stream(self, trouble: OSError, on_progress: Progress | None) -> Built:
        """Decode all and keep nothing."""
        return self._built(self.decode(None, on_progress), None, _no_cache(trouble))

    def decode(self, draft: Draft | None, on_progress: Progress | None) -> Findings:
        """The one pass over all pictures."""
        findings, total, reported = Findings(sizes=[] if self._whole else None), len(self.dataset), -math.inf
        with self._pool() as pool:
            for row, found in enumerate(pool.map(self._locators)):
                findings.add(row, found)
                if draft is not None:
                    draft.write(None if isinstance(found, PictureError) else found.pixels)
                if monotonic() - reported > 0.1 or row + 1 == total:
                    _report(on_progress, row + 1, total)
                    reported = monotonic()
        return findings

    def _pool(self) -> DecodingPool:
        return DecodingPool(self.dataset.pictures, self.preparation, workers=self.workers, timeout=self.timeout)

    def _built(self, findings: Findings, pixels: Path | None, no_pixels: str, *, reused: bool = False) -> Built:
        """`no_pixels` says why, where there are none."""
        bad = {bad.row for bad in findings.bad}
        return Built(
            source=self._source(findings, pixels),
            rows=np.array([row for row in range(len(self.dataset)) if row not in bad], dtype=np.int64),
            quarantined=findings.quarantined(self.dataset),
            bad_ids=findings.bad_ids(self.dataset),
            warnings=(*findings.warnings(self.dataset), *([] if pixels is not None else [no_pixels])),
            kind="stream" if pixels is None else "cache",
            reused=reused,
        )

    def _source(self, findings: Findings, pixels: Path | None) -> PixelSource | WindowSource:
        """Stored pixels where they were kept, else pictures decoded when they are asked for."""
        whole, pictures = self._whole, self.dataset.pictures
        how: dict[str, Any] = {"workers": self.workers, "timeout": self.timeout}
        if whole is not None:
            sizes = np.array(findings.sizes, np.int64).reshape(-1, 2)
            if pixels is not None:
                return FiledWindows(pixels, whole, sizes)
            return StreamedWindows(pictures, self._locators, whole, sizes, **how)
        if pixels is not None:
            return FiledPixels(pixels, self.shape)
        return StreamedPixels(pictures, self._locators, self.preparation, **how)


def _no_cache(error: OSError) -> str:
    return f"the pixel cache could not be written ({error.strerror or error}): pictures are decoded as they are needed"


def _too_large(need: int, cache: PixelCache) -> str:
    size, room = need / 1e9, cache.room() / 1e9
    return f"pixels of {size:.1f} GB exceed the cache's limit of {room:.1f} GB: pictures are decoded as they are needed"


def _report(on_progress: Progress | None, done: int, total: int) -> None:
    if on_progress is not None:
        on_progress(done, total)
