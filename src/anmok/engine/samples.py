"""The ordered sample log: which batches were learned from, in order, a line each."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Sequence
from pathlib import Path

from anmok.core.files import naming_the_cause


class SampleLog:
    """Appends `stage epoch batch count digest` lines; the digest is BLAKE2 over the batch's ids in order.

    Lines become durable with the checkpoint that refers to them. After a kill the log is longer than the checkpoint
    knows, and resuming cuts it there.
    """

    def __init__(self, path: Path) -> None:
        self.path, self._lines = path, list[str]()
        self._started = False

    def add(self, stage: str, epoch: int, number: int, ids: Sequence[str]) -> None:
        """Note one batch."""
        digest = hashlib.blake2b("\0".join(ids).encode(errors="surrogatepass"), digest_size=16).hexdigest()
        self._lines.append(f"{stage} {epoch} {number} {len(ids)} {digest}\n")

    def sync(self) -> int:
        """Make the noted lines durable and return the log's length in bytes. Raises `UnwrittenError`."""
        with naming_the_cause(self.path):
            flags = os.O_WRONLY | os.O_CREAT | (os.O_APPEND if self._started else os.O_TRUNC)
            descriptor = os.open(self.path, flags, 0o666)
            try:
                view = memoryview("".join(self._lines).encode(errors="surrogatepass"))
                while view:
                    view = view[os.write(descriptor, view) :]
                os.fsync(descriptor)
                length = os.fstat(descriptor).st_size
            finally:
                os.close(descriptor)
        self._started = True
        self._lines.clear()
        return length

    def truncate(self, length: int) -> None:
        """Cut the log to where a checkpoint found it."""
        self._started = True
        with naming_the_cause(self.path):
            found = self.path.stat().st_size if self.path.exists() else 0
            if found < length:
                warnings.warn(f"{self.path} is {found} bytes long, its checkpoint knew {length}", stacklevel=2)
                return
            if found:
                os.truncate(self.path, length)
