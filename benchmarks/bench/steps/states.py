"""The states of a data set, stored, against rows padded in batches of 16 in the given order; and their reading back."""

import math
import tempfile
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from bench.race import Race, step
from bench.small import llama, texts
from semalign.data.rows import Example, pad
from semalign.models.architecture import Architecture
from semalign.models.capture import states_at
from semalign.targets.passes import StatePasses
from semalign.targets.store import StateStore

VOCABULARY = 2_000


@torch.no_grad()
def in_order(model: Architecture, examples: list[Example], layer: int, path: Path) -> list[Tensor]:
    """Return the states of a layer at all tokens, from padded batches of 16 rows in their order, and store them."""
    found: list[Tensor] = []
    for start in range(0, len(examples), 16):
        part = examples[start : start + 16]
        input_ids, mask = (each.to(model.device) for each in pad(part))
        states = states_at(model, [layer], "layer", input_ids, mask)[layer]
        found += [states[row, : len(example)] for row, example in enumerate(part)]
    save_file({"states": torch.cat(found)}, path)
    return found


def largest(ours: StateStore, peer: list[Tensor]) -> float:
    """Return the largest difference of a state, relative to the largest number of all states."""
    return max(float((ours[i] - each.cpu()).abs().max() / each.abs().max()) for i, each in enumerate(peer))


@step(
    title="States of a data set",
    peer="rows padded in batches of 16",
    reach=1.5,
    sizes=[
        {"rows": 64, "length": 160, "width": 256},
        {"rows": 256, "length": 160, "width": 256},
        {"rows": 128, "length": 80, "width": 512},
        {"rows": 128, "length": 160, "width": 512},
    ],
    rounds=(2, 1, 1, 2),
    growth={"rows": 1.0, "length": 1.0},
    says="Lengths spread as MBPP's do, whose median is about 160 tokens; both sides store the states of the last of "
    "three layers.",
)
def states(rows: int, length: int, width: int) -> Race:
    """States at all tokens of texts whose lengths spread as MBPP's do, around this median."""
    model = Architecture(llama(VOCABULARY, width, layers=3))
    examples = texts(rows, VOCABULARY, mean=math.log(length))
    at = [list(range(len(example))) for example in examples]

    def ours() -> StateStore:
        folder = Path(tempfile.mkdtemp(dir=place.name))
        return StatePasses(model, examples, at, folder, "bench").layer_states([[(3, 1.0)]], "layer")[0]

    place = tempfile.TemporaryDirectory()
    weights = sum(p.numel() for p in model.layers.parameters())
    return Race(
        ours=ours,
        peer=lambda: in_order(model, examples, 3, Path(place.name) / "peer.safetensors"),
        difference=largest,
        flops=2 * weights * sum(map(len, examples)),
    )


@step(
    title="States read back",
    peer="reading the same bytes",
    reach=0.8,
    sizes=[{"rows": 128, "width": 256}, {"rows": 256, "width": 1_024}],
    says="All examples in random order, one by one, against whole files into memory; both from the page cache.",
)
def states_read(rows: int, width: int) -> Race:
    """Stored states of all examples, read one by one in a random order."""
    place, lengths = tempfile.TemporaryDirectory(), [len(example) for example in texts(rows, 16)]
    store = StateStore(Path(place.name), {}, lengths, width)
    store.ensure(lambda wanted: [torch.randn(lengths[i], width) for i in wanted])
    order = torch.randperm(rows, generator=torch.Generator().manual_seed(0)).tolist()

    def ours() -> int:
        opened = StateStore(Path(place.name), {}, lengths, width)
        return sum(opened[i].clone().nbytes for i in order)

    def peer() -> int:
        return sum(len(path.read_bytes()) for path in store.folder.iterdir())

    size = sum(lengths) * width * 4
    return Race(ours=ours, peer=peer, difference=lambda mine, theirs: abs(mine - size) / size, bytes=2 * size)
