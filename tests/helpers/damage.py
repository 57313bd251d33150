"""Damaged copies of a file: a byte that is another, in each place, and an end that is missing."""

from collections.abc import Iterator
from pathlib import Path


def damaged(path: Path, step: int = 1) -> Iterator[str]:
    """Damage a file in place, once for each ``step``-th byte and bit of it, then cut it; yield what was done.

    The file is as before at the end.
    """
    content = path.read_bytes()
    for place in range(0, len(content), step):
        for bit in (place % 8, 7):
            path.write_bytes(content[:place] + bytes([content[place] ^ (1 << bit)]) + content[place + 1 :])
            yield f"byte {place}, bit {bit}"
    for length in {0, 1, 7, 8, 9, *range(0, len(content), max(1, len(content) // 40))}:
        path.write_bytes(content[:length])
        yield f"cut at {length}"
    path.write_bytes(content + b"\0")
    yield "a byte too many"
    path.write_bytes(content)
