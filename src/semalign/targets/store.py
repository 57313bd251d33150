"""Hidden states of a data set, computed once and stored on disk as safetensors shards with checksums."""

import shutil
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from safetensors import safe_open
from torch import Tensor
from tqdm import tqdm

from semalign.cache_folder import hold
from semalign.files import json_fingerprint
from semalign.models import processes
from semalign.tensor_files import kept_tensors, write_tensors

SHARD_EXAMPLES = 256
IN_MEMORY = 2**30  # bytes of states that are computed at once: a shard of each of several stores, or of one

Compute = Callable[[range], list[Tensor]]
ComputeSeveral = Callable[[range, Sequence[int]], Sequence[Sequence[Tensor]]]


@runtime_checkable
class States(Protocol):
    """States of examples 0..n-1, each of shape (tokens_i, D), on disk or in memory: what a map is fitted on.

    Attributes:
        width: width D of the states.
        dtype: floating-point type of the states.
        offsets: n + 1 numbers of rows: those before each example, and those of all.
    """

    width: int
    dtype: torch.dtype
    offsets: Sequence[int]

    def __len__(self) -> int:
        """Return the number of examples."""

    def __getitem__(self, example: int) -> Float[Tensor, "tokens d"]:
        """Return the states of one example."""


class StateStore:
    """States of examples 0..n-1, each of shape (tokens_i, D), in a folder named by a hash of their inputs.

    The states of SHARD_EXAMPLES consecutive examples are concatenated in one shard, shape (total tokens, D), so one
    example is a slice of rows. Reading an example loads only its slice.

    Args:
        folder: parent folder; the store makes its own folder in it.
        key: everything that the states depend on, JSON-serialisable (model and data fingerprints, layer, interface).
        lengths: number of tokens of each example.
        width: width D of the states.
        dtype: floating-point type on disk.
    """

    def __init__(
        self, folder: Path, key: dict[str, Any], lengths: Sequence[int], width: int, dtype: torch.dtype = torch.float32
    ) -> None:
        self._made_from = {**key, "width": width, "dtype": str(dtype)}
        self.folder = Path(folder) / json_fingerprint({**self._made_from, "lengths": list(lengths)})
        self.offsets: Sequence[int] = list(accumulate(lengths, initial=0))
        self.width, self.dtype = width, dtype
        self.starts = list(range(0, len(lengths), SHARD_EXAMPLES))  # first example of each shard
        self._open: dict[int, Any] = {}

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self.offsets) - 1

    def ensure(self, compute: Compute, description: str = "states") -> int:
        """Write the shards that are missing or damaged; return how many were written.

        A stopped run resumes at the shard where it stopped. A damaged shard is written again, with a warning. Of
        several processes, each writes its share of the shards. Other runs may write the same states at the same time.

        Args:
            compute: returns the states of a range of examples, each of shape (tokens_i, D).
            description: label of the progress bar.

        Raises:
            OSError: if the disk has too little free space, before anything is computed; or if another process has
                written to another disk.
        """
        return ensure_all([self], lambda examples, _: [compute(examples)], description)

    def __getitem__(self, example: int) -> Float[Tensor, "tokens d"]:
        """Return the states of one example, read from its slice of the shard."""
        shard = bisect_right(self.starts, example) - 1
        base = self.offsets[self.starts[shard]]  # rows before this shard
        if shard not in self._open:
            self._open[shard] = safe_open(self._path(shard), framework="pt").__enter__()
        rows = slice(self.offsets[example] - base, self.offsets[example + 1] - base)
        return self._open[shard].get_slice("states")[rows]

    def _path(self, shard: int) -> Path:
        return self.folder / f"{shard:05d}.safetensors"

    def _examples(self, shard: int) -> range:
        return range(self.starts[shard], min(self.starts[shard] + SHARD_EXAMPLES, len(self)))

    def _tokens(self, shard: int) -> int:
        examples = self._examples(shard)
        return self.offsets[examples.stop] - self.offsets[examples.start]

    def _missing(self) -> list[int]:
        """Return the shards that are missing or damaged; each process checks its share."""
        flags = torch.zeros(len(self.starts), dtype=torch.long)
        for shard in processes.share(range(len(self.starts))):
            flags[shard] = not self._intact(shard)
        processes.add_up([flags])
        missing = flags.nonzero().flatten().tolist()
        if processes.is_first():
            for shard in set(missing) - set(processes.share(range(len(self.starts)))):
                self._intact(shard)  # warns of damage that another process has found
        return missing

    def _intact(self, shard: int) -> bool:
        found = kept_tensors(self._path(shard))
        shapes = {} if found is None else {name: tuple(tensor.shape) for name, tensor in found[0].items()}
        return shapes == {"states": (self._tokens(shard), self.width)}

    def _write(self, shard: int, states: Sequence[Tensor]) -> None:
        self._open.pop(shard, None)
        content = torch.cat([state.detach().to("cpu", self.dtype) for state in states])
        if content.shape != (self._tokens(shard), self.width):
            raise ValueError(f"shard {shard}: expected {(self._tokens(shard), self.width)}, got {tuple(content.shape)}")
        write_tensors(self._path(shard), {"states": content}, self._made_from)

    def _bytes(self, shard: int) -> int:
        return self._tokens(shard) * self.width * self.dtype.itemsize


def ensure_all(stores: Sequence[StateStore], compute: ComputeSeveral, description: str = "states") -> int:
    """Write the missing shards of several stores of the same examples, computed together; return how many were written.

    All is as in :meth:`StateStore.ensure`. Where one of several stores lacks a shard, that store's alone is computed.

    Args:
        stores: the stores, in different folders below the same one.
        compute: returns the states of a range of examples for some of the stores, which are given by their indices.
        description: label of the progress bar.

    Raises:
        OSError: see :meth:`StateStore.ensure`; the room is that of all stores.
    """
    for store in stores:
        hold(store.folder)
    missing = [store._missing() for store in stores]
    processes.by_first(partial(_check_room, stores, missing))
    shards = sorted({shard for each in missing for shard in each})
    for shard in tqdm(processes.share(shards), desc=description, leave=False, disable=processes.quiet()):
        for part in _fitting(stores, shard, [i for i, each in enumerate(missing) if shard in each]):
            for i, states in zip(part, compute(stores[0]._examples(shard), part), strict=True):
                stores[i]._write(shard, states)
    processes.wait()
    for store, each in zip(stores, missing, strict=True):
        if any(not store._path(shard).is_file() for shard in each):
            raise OSError(f"{store.folder} lacks what other processes wrote: SEMALIGN_CACHE must be on a shared disk")
    return sum(map(len, missing))


def _fitting(stores: Sequence[StateStore], shard: int, lacking: Sequence[int]) -> Iterator[list[int]]:
    """Yield stores that lack a shard, by their indices: as many at once as may be in memory, at least one."""
    part, size = list[int](), 0
    for i in lacking:
        size += stores[i]._bytes(shard)
        if part and size > IN_MEMORY:
            yield part
            part, size = [], stores[i]._bytes(shard)
        part.append(i)
    yield part


def _check_room(stores: Sequence[StateStore], missing: Sequence[Sequence[int]]) -> None:
    if not any(missing):
        return
    needed = sum(store._bytes(shard) for store, each in zip(stores, missing, strict=True) for shard in each)
    folder = stores[0].folder
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise OSError(
            f"hidden states need {needed / 1e9:.1f} GB in {folder}, {free / 1e9:.1f} GB are free: "
            "make room or point SEMALIGN_CACHE to a larger disk"
        )
