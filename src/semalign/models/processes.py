"""The processes of one run, as ``accelerate launch`` and ``torchrun`` start them: what each does, and what they add up.

Every process runs the same program. It takes its share of the work, all agree on sums, and the first one writes.
Without a launcher there is one process: it has the whole share, sums are what they were, and no group is made.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from semalign.disk import temporary_folder
from semalign.errors import folded, one_line

T = TypeVar("T")
LAUNCHED = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")  # what launchers tell each process
TIMEOUT = timedelta(days=1)  # a process that does not answer may be at work; one that ends is noticed at once
LONGEST = 4096  # bytes of a text that the first process tells the others


class LostProcessError(ConnectionError):
    """Another process of the run has ended, or does not answer."""


def count() -> int:
    """Return the number of processes of the run; 1 without a launcher."""
    if _grouped():
        return dist.get_world_size()
    return int(os.environ["WORLD_SIZE"]) if all(name in os.environ for name in LAUNCHED) else 1


def number() -> int:
    """Return the number of this process, from 0."""
    if _grouped():
        return dist.get_rank()
    return int(os.environ["RANK"]) if count() > 1 else 0


def is_first() -> bool:
    """Return whether this process is the one that writes and prints."""
    return number() == 0


def quiet() -> bool | None:
    """Return the argument ``disable`` of a progress bar: only the first process shows one, and only to a terminal."""
    return None if is_first() else True


def check_alone(what: str) -> None:
    """Raise ``ValueError`` in one of several processes, each of which would do all of the same work."""
    if count() > 1:
        raise ValueError(
            f"{what} runs in one process: start it without accelerate launch or torchrun, which share out the work of "
            "transfer and attribute only"
        )


def start() -> None:
    """Join the other processes, if there are any, with the GPU of this one; a group that exists already is used.

    On a CPU, and where processes share a GPU, they talk through Gloo, otherwise through NCCL.
    """
    if count() == 1 or _grouped():
        return
    from accelerate import PartialState

    cuda = torch.cuda.is_available() and os.environ.get("ACCELERATE_USE_CPU", "false").lower() != "true"
    own = cuda and int(os.environ.get("LOCAL_WORLD_SIZE", 1)) <= torch.cuda.device_count()
    with _together():
        PartialState(cpu=not cuda, backend="cuda:nccl,cpu:gloo" if own else "gloo", timeout=TIMEOUT)


def stop() -> None:
    """Leave the group of processes at the end of the program."""
    if _grouped():
        dist.destroy_process_group()


def share(items: Sequence[T]) -> Sequence[T]:
    """Return the items that this process works on: every n-th one of n processes, and perhaps none."""
    return items[number() :: count()]


def add_up(tensors: Iterable[Tensor]) -> None:
    """Replace tensors by their sums over all processes, in one message for each type and device.

    Raises:
        LostProcessError: if another process has ended; so do all functions below.
    """
    if count() == 1:
        return
    start()
    alike: dict[tuple[torch.dtype, torch.device], list[Tensor]] = {}
    for tensor in tensors:
        alike.setdefault((tensor.dtype, tensor.device), []).append(tensor.detach())
    for parts in alike.values():
        flat = torch.cat([part.flatten() for part in parts])
        with _together():
            dist.all_reduce(flat)
        for part, total in zip(parts, flat.split([part.numel() for part in parts]), strict=True):
            part.copy_(total.view_as(part))


def sums(numbers: Mapping[str, float]) -> dict[str, float]:
    """Return each number added up over all processes, in float64."""
    values = torch.tensor(list(numbers.values()), dtype=torch.float64, device="cpu")
    add_up([values])
    return dict(zip(numbers, values.tolist(), strict=True))


def joined(own: Tensor) -> tuple[Tensor, slice]:
    """Return the rows of all processes in their order, shape (sum of n, ...), and where the n of this one are."""
    if count() == 1:
        return own, slice(0, len(own))
    sizes = torch.zeros(count(), dtype=torch.long)
    sizes[number()] = len(own)
    add_up([sizes])
    start = int(sizes[: number()].sum())
    place, rows = slice(start, start + len(own)), own.new_zeros(int(sizes.sum()), *own.shape[1:])
    rows[place] = own
    add_up([rows])
    return rows, place


def equalise(tensors: Iterable[Tensor]) -> None:
    """Give tensors the values that they have in the first process."""
    tensors = list(tensors)
    if not is_first():
        for tensor in tensors:
            tensor.detach().zero_()
    add_up(tensors)


def from_first(text: str) -> str:
    """Return the text that the first process has given."""
    if count() == 1:
        return text
    content, own = torch.zeros(LONGEST, dtype=torch.uint8), text.encode()
    content[: len(own)] = torch.tensor(list(own), dtype=torch.uint8)
    equalise([content])
    return bytes(content.tolist()).rstrip(b"\0").decode()


def wait() -> None:
    """Wait until all processes are here."""
    sums({"here": 1.0})


def by_first(act: Callable[[], object]) -> None:
    """Let the first process do something while the others wait.

    Raises:
        LostProcessError: in the others, if it raises there.
    """
    done = False
    try:
        if is_first():
            act()
            done = True
    finally:
        failed = not sums({"done": float(done)})["done"]
    if failed:
        raise LostProcessError("the first process of this run has stopped: its own message says why")


@contextmanager
def one_temporary_folder(parent: Path) -> Iterator[Path]:
    """Yield a temporary folder that all processes share; see :func:`semalign.disk.temporary_folder`."""
    if is_first():
        with temporary_folder(parent) as folder:
            yield Path(from_first(str(folder)))
            wait()
    else:
        yield Path(from_first(""))
        wait()


def check_equal(value: int, message: str) -> None:
    """Raise ``OSError`` with a message unless a number is the same in all processes."""
    found = sums({"value": float(value), "square": float(value) ** 2})
    if count() * found["square"] != found["value"] ** 2:
        raise OSError(message)


def _grouped() -> bool:
    return dist.is_available() and dist.is_initialized()


@contextmanager
def _together() -> Iterator[None]:
    """Turn the errors of talking to other processes into one line."""
    try:
        yield
    except RuntimeError as error:
        raise LostProcessError(
            f"process {number() + 1} of {count()} has lost the others: one has ended, and its own message says why, or "
            f"does not answer ({folded(one_line(error), 200)})"
        ) from error
