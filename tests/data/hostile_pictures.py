"""Stores whose pictures crash or stall their reader; a module of its own, so that workers can import it."""

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

from anmok.core.errors import PictureError


class Hostile:
    """Locators are orders, of which `pid` and `kill-once` are followed by a file.

    Every other locator gives a picture filled with its own length.
    """

    def read(self, locator):
        order, _, argument = str(locator).partition(" ")
        if order == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        elif order == "abort":
            os.abort()
        elif order == "exit":
            os._exit(7)
        elif order == "hang":
            time.sleep(60)
        elif order == "refuse":
            raise PictureError("it is bad", path="bad.jpg", got="this", allowed="that", fix="another")
        elif order == "bug":
            raise KeyError("a bug in the store")
        elif order == "print":
            os.write(1, b"noise " * 1000)
            print("more noise", flush=True)
        elif order == "pid":
            Path(argument).write_text(str(os.getpid()))
            time.sleep(60)
        elif order == "torch":
            return np.full((5, 4, 3), "torch" in sys.modules, np.uint8)
        elif order == "kill-once" and not Path(argument).exists():
            Path(argument).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return np.full((5, 4, 3), len(order), np.uint8)

    def identity(self, locator):
        return str(locator).encode()


class Unpicklable(Hostile):
    def __reduce__(self):
        return _fail, ()


def _fail():
    raise ImportError("no such store here")
