"""Memory: how much of it is free, and the errors that say that it was too little."""

import gc
from collections.abc import Iterator
from pathlib import Path

import psutil
import torch
from accelerate.utils.memory import clear_device_cache, should_reduce_batch_size
from torch import nn

GROUPS, OWN = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
# The limit, the use, and what of the use the kernel can drop, in the second and the first version of control groups.
FILES = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)
CPU_ERRORS = ("can't allocate memory", "not enough memory")  # of PyTorch's allocators on Linux and elsewhere


class TooLargeError(ValueError, MemoryError):
    """What cannot be made smaller does not fit the memory."""


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that a device or this machine has too little memory for what was tried."""
    if isinstance(error, TooLargeError):
        return False
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and (
        should_reduce_batch_size(error) or any(text in str(error) for text in CPU_ERRORS)
    )


def clear() -> None:
    """Give back memory that nothing uses."""
    gc.collect()
    clear_device_cache()


def free_bytes(model: nn.Module) -> int:
    """Return the free memory of the devices of a model, of the one that has the least."""
    devices = {p.device for p in model.parameters() if not p.is_meta}
    return min(map(_free, devices or {torch.device("cpu")}))


def _free(device: torch.device) -> int:
    if device.type != "cuda":
        return _free_of_host()
    # Blocks that PyTorch holds and that no tensor uses are free too.
    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return torch.cuda.mem_get_info(device)[0] + unused


def _free_of_host() -> int:
    return min([psutil.virtual_memory().available, *_free_of_groups()])


def _free_of_groups() -> Iterator[int]:
    """Yield what is left of the limit of each control group that this process is in."""
    lines = OWN.read_text().splitlines() if OWN.is_file() else []
    for _, controllers, path in (line.split(":", 2) for line in lines):
        if controllers in ("", "memory"):
            group = GROUPS / controllers / path.strip("/")
            for place in (group, *group.parents[: len(group.relative_to(GROUPS).parts)]):
                yield from _left(place)


def _left(group: Path) -> Iterator[int]:
    for limit, use, droppable in FILES:
        try:
            left = int((group / limit).read_text()) - int((group / use).read_text())
            numbers = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
            yield left + int(numbers.get(droppable, 0))
        except (OSError, ValueError):  # there is no such file, or no limit: "max"
            continue
