"""What one end can ask for, tried on a program's end."""

import inspect
from dataclasses import dataclass, field

import pytest
from helpers.ends import connected

from semalign.sandbox.inside.operations import OPERATIONS, made_signature


def both(a, /, b: int, *c, d=[1], **e) -> str: ...  # noqa: B006


@pytest.mark.parametrize("function", [both, lambda: 0, lambda *a, **k: 0, len])
def test_a_signature_is_taken_apart_and_put_together(function):
    assert made_signature(*OPERATIONS["signature"](function)) == inspect.signature(function)


def test_special_methods_only():
    assert OPERATIONS["special"]("__add__", 1, 2) == 3
    assert OPERATIONS["special"]("__add__", 1, "a") is NotImplemented
    with pytest.raises(AttributeError):
        OPERATIONS["special"]("__getattribute__", 1, "real")


@dataclass
class Point:
    x: int
    note: str = field(default="", compare=False)


class Slotted:
    __slots__ = ("a", "b")


def test_the_state_of_an_object_is_what_its_equality_depends_on():
    slotted = Slotted()
    slotted.a = 3
    plain = type("Plain", (), {})()
    plain.z = [1]
    assert OPERATIONS["states"](Point(1, "x"), slotted, plain) == ({"x": 1}, {"a": 3}, {"z": [1]})


def test_copies():
    value = [[1]]
    assert OPERATIONS["copy"](value)[0] is value[0]
    assert OPERATIONS["deepcopy"](value)[0] is not value[0]


PROGRAM = """
import asyncio
async def f(x):
    await asyncio.sleep(0)
    return x + 1
async def numbers():
    for i in range(3): yield i
async def outer(g): return await g(5) + await f(1)
"""


def test_coroutines_run_in_the_process_that_has_them():
    import asyncio

    async def twice(x):
        await asyncio.sleep(0)
        return 2 * x

    with connected(PROGRAM) as peer:
        f, numbers, outer = (peer.ask("name", name) for name in ("f", "numbers", "outer"))

        async def main():
            return [await f(1), [x async for x in numbers()], await asyncio.gather(f(2), f(3)), await outer(twice)]

        assert asyncio.run(main()) == [2, [0, 1, 2], [3, 4], 12]
        assert asyncio.run(f(4)) == 5
