"""Answers in order, while the next questions are already being worked on."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


def answers_ahead(answer: Callable[[Item], Answer], items: Iterable[Item], threads: int = 1) -> Iterator[Answer]:
    """`answer(item)` of each item, in order; so many threads work on later ones while an earlier one is used.

    Items are taken in the caller's thread, one more of them than there are threads before the first answer is waited
    for: what makes an item and what answers it run side by side, in bounded memory. What `answer` raises is raised
    here, in its turn.
    """
    under_way: deque[Future[Answer]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="anmok-ahead") as pool:
        for item in items:
            under_way.append(pool.submit(answer, item))
            if len(under_way) > threads:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
