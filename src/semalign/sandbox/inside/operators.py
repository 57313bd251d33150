"""The special methods of Python by which an object at one end of the channel acts at the other."""

from __future__ import annotations


def _names(text: str) -> frozenset[str]:
    return frozenset(f"__{name}__" for name in text.split())


_ARITHMETIC = "add sub mul matmul truediv floordiv mod divmod pow lshift rshift and or xor"

BINARY = _names(" ".join(f"{name} r{name} i{name}" for name in _ARITHMETIC.split()))
ORDER = _names("lt le gt ge")
EQUALITY = _names("eq ne")
# What gives data of an object; not given for an object that was computed with data of the tests.
READING = _names(
    "abs bool bytes ceil complex float floor format hash index int invert iter len length_hint neg next pos reversed "
    "round trunc fspath"
)
# What cannot be mistaken for data.
ACTING = _names("repr str getitem setitem delitem missing enter aenter aiter anext await")
SPECIAL = BINARY | ORDER | EQUALITY | READING | ACTING | _names("call contains exit aexit")
# What a Counter asks itself and the other one when it is compared or subtracted; no class may override it.
COUNTING = _names("getitem missing iter len") | {"items", "keys", "get", "elements"}
# The methods that a class may override when it extends a type of plain data. The others, such as ``count`` or
# ``startswith``, would get what the tests compare with.
OVERRIDDEN = frozenset(
    "add append appendleft clear copy discard elements extend extendleft get insert items keys most_common move_to_end "
    "pop popitem popleft remove reverse rotate setdefault sort update values".split()
)
