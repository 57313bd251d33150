"""What the machine can do at most, and how much memory something takes."""

import ctypes
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import psutil
import torch

PRODUCT, COPY, ROUNDS = 3072, 1 << 26, 5
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def device_name() -> str:
    """Return the name of the GPU, or ``cpu``."""
    return torch.cuda.get_device_name() if DEVICE.type == "cuda" else "cpu"


def finish() -> None:
    """Wait for the device."""
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()


@cache
def flops_limit(threads: int) -> float:
    """Return the operations per second that a large product in float32 reaches with some threads."""
    with torch.device(DEVICE):
        a, b = torch.randn(PRODUCT, PRODUCT), torch.randn(PRODUCT, PRODUCT)
    return 2 * PRODUCT**3 / _fastest(lambda: a @ b)


@cache
def bytes_limit(threads: int) -> float:
    """Return the bytes per second, read and written, of a copy of 256 MB with some threads."""
    source = torch.ones(COPY, device=DEVICE)
    target = torch.empty_like(source)
    return 2 * source.numel() * source.element_size() / _fastest(lambda: target.copy_(source))


def _fastest(function) -> float:
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        function()
        finish()
        times.append(time.perf_counter() - start)
    return min(times)


class Memory:
    """Watches the memory above that of the beginning; ``peak`` is None where the system cannot tell."""

    peak: int | None = None


@contextmanager
def memory_watched() -> Iterator[Memory]:
    """Measure the peak memory of a block above what was held before: of the GPU, or of the process and its children."""
    found = Memory()
    if DEVICE.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        yield found
        found.peak = torch.cuda.max_memory_allocated() - before
        return
    if sys.platform != "linux":
        yield found
        return
    ctypes.CDLL(None).malloc_trim(0)
    before = _resident()
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark begins anew
    with _children() as children:
        yield found
    found.peak = max(_high_water() - before, 0) + children.peak


class _Children:
    peak = 0


@contextmanager
def _children() -> Iterator[_Children]:
    """Look ten times a second at the memory of the processes that a block starts."""
    found, end, me = _Children(), threading.Event(), psutil.Process()

    def look() -> None:
        while not end.wait(0.1):
            total = 0
            for child in me.children(recursive=True):
                try:
                    total += child.memory_info().rss
                except psutil.Error:
                    continue
            found.peak = max(found.peak, total)

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield found
    finally:
        end.set()
        watcher.join()


def _resident() -> int:
    return _status("VmRSS")


def _high_water() -> int:
    return _status("VmHWM")


def _status(key: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status has no {key}")
