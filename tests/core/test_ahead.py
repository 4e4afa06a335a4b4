"""Answers ahead: in order, side by side, no further than said, errors in their turn."""

import threading
from collections.abc import Iterator

import pytest

from anmok.core.ahead import answers_ahead


@pytest.mark.parametrize("threads", [1, 3])
def test_answers_come_in_order_and_no_more_are_taken_than_there_is_room_for(threads: int) -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(20):
            taken.append(number)
            yield number

    for number, answer in enumerate(answers_ahead(lambda item: item * item, items(), threads)):
        assert answer == number * number
        assert len(taken) <= number + threads + 1
    assert taken == list(range(20))


def test_an_item_is_made_while_the_one_before_is_answered() -> None:
    made = threading.Event()

    def items() -> Iterator[str]:
        yield "first"
        made.set()
        yield "second"

    def answer(item: str) -> bool:
        return made.wait(10)  # the first is answered only once the second is being made

    assert list(answers_ahead(answer, items())) == [True, True]


def test_what_goes_wrong_is_raised_in_its_turn() -> None:
    found = answers_ahead(lambda item: 6 // item, [3, 2, 0, 1])
    assert [next(found), next(found)] == [2, 3]
    with pytest.raises(ZeroDivisionError):
        next(found)
    assert list(answers_ahead(str, [])) == []
