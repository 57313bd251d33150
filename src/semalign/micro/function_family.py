"""The family of distinct functions, the inputs that distinguish them, and their division into splits.

Functions with equal outputs on a fixed battery of inputs count as one, so that the members of the family, and hence its
splits, really differ. The tests of a benchmark row are chosen so that every near miss fails.
"""

import random
from collections.abc import Callable, Iterable
from functools import cache
from itertools import product
from typing import Any

import numpy as np

from semalign.micro.programs import SLOTS, Function

SEED = 164
SPLIT_SIZES = {"train": 1000, "validation": 500, "test": 500}  # for each of the two benchmarks
BENCHMARKS = ("humaneval", "mbpp")
BATTERY_SIZE = 100
MBPP_ASSERTS = 3

WORDS = ("red sun tea sand note star stone east apple eaten level cat dog tent sea onion salt area oats bus").split()


@cache
def battery(domain: str) -> tuple[tuple[Any, ...], ...]:
    """Return the fixed inputs (tuples of arguments) on which functions of a domain are compared."""
    rng = random.Random(f"{SEED}-{domain}")
    draw: dict[str, Callable[[], tuple[Any, ...]]] = {
        "list": lambda: ([rng.randint(-6, 12) for _ in range(rng.randint(3, 5))],),
        "int": lambda: (rng.randint(-9, 20), rng.randint(-9, 20)),
        "words": lambda: (" ".join(rng.sample(WORDS, rng.randint(2, 4))),),
    }
    return tuple(draw[domain]() for _ in range(BATTERY_SIZE))


@cache
def outputs(function: Function) -> tuple[str, ...]:
    """Return the ``repr`` of the function's value on each input of its battery."""
    scope: dict[str, Any] = {}
    exec(function.source, scope)
    return tuple(repr(scope[function.name](*arguments)) for arguments in battery(function.domain))


@cache
def family() -> tuple[Function, ...]:
    """Return one function for each distinct behaviour, the one with the shortest code."""
    every = [Function(domain, parts) for domain, slots in SLOTS.items() for parts in product(*slots)]
    every.sort(key=lambda f: (f.domain, len(f.body)))
    distinct: dict[tuple[str, ...], Function] = {}
    for function in every:
        distinct.setdefault((function.domain, *outputs(function)), function)
    return tuple(distinct.values())


@cache
def function_splits() -> dict[str, tuple[Function, ...]]:
    """Return disjoint sets of functions: ``humaneval-train`` ... ``mbpp-test``, and the ``pool`` for pretraining."""
    shuffled = list(family())
    random.Random(SEED).shuffle(shuffled)
    remaining = iter(shuffled)
    splits: dict[str, tuple[Function, ...]] = {}
    pool: list[Function] = []
    for benchmark, (split, size) in product(BENCHMARKS, SPLIT_SIZES.items()):
        chosen: list[Function] = []
        while len(chosen) < size:
            function = next(remaining)
            (chosen if is_testable(function) else pool).append(function)
        splits[f"{benchmark}-{split}"] = tuple(chosen)
    return {**splits, "pool": (*pool, *remaining)}


def near_misses(function: Function) -> list[Function]:
    """Return the functions that differ from ``function`` in exactly one part and in behaviour."""
    slots = SLOTS[function.domain]
    others = [
        Function(function.domain, (*function.parts[:slot], part, *function.parts[slot + 1 :]))
        for slot, parts in enumerate(slots)
        for part in parts
        if part != function.parts[slot]
    ]
    return [other for other in others if outputs(other) != outputs(function)]


@cache
def telling_inputs(function: Function) -> tuple[int, ...]:
    """Return a few positions in the battery that distinguish ``function`` from all its near misses (greedy cover)."""
    expected = outputs(function)
    # caught[i, j]: on input j, near miss i and the function differ
    rows = [[a != b for a, b in zip(outputs(f), expected, strict=True)] for f in near_misses(function)]
    caught = np.array(rows)
    order = list(range(BATTERY_SIZE))
    random.Random("-".join(function.key)).shuffle(order)
    chosen: list[int] = []
    while len(caught):
        best = max(order, key=caught.sum(axis=0).__getitem__)
        chosen.append(best)
        caught = caught[~caught[:, best]]
    return tuple(chosen)


def is_testable(function: Function) -> bool:
    """Return whether the three asserts of a micro-MBPP row are enough to distinguish it from all near misses."""
    return len(telling_inputs(function)) <= MBPP_ASSERTS


def call(function: Function, position: int, name: str) -> str:
    """Return the source of a call of ``name`` on one input of the battery."""
    return f"{name}({', '.join(map(repr, battery(function.domain)[position]))})"


def asserts(function: Function, count: int, name: str) -> list[str]:
    """Return ``count`` asserts on the function under ``name``: first on the telling inputs, then on others."""
    chosen = list(telling_inputs(function)[:count])
    rng = random.Random("+".join(function.key))
    while len(chosen) < count:
        position = rng.randrange(BATTERY_SIZE)
        if position not in chosen:
            chosen.append(position)
    return asserts_at(function, chosen, name)


def asserts_at(function: Function, positions: Iterable[int], name: str) -> list[str]:
    """Return asserts on the function under ``name`` for the given inputs of the battery."""
    return [f"assert {call(function, i, name)} == {outputs(function)[i]}" for i in positions]
