"""States of several places from one pass are those of a pass for each."""

import torch
from helpers.models import close

from semalign.analysis.diagnosis.maps import Maps
from semalign.analysis.diagnosis.states import HeldStates, Place, read_states
from semalign.data.rows import encode, pad
from semalign.models.architecture import Architecture
from semalign.models.capture import states_at
from semalign.models.pair import Pair
from semalign.settings import TransferSettings
from semalign.targets.maps import MAPS, alignment_map
from semalign.targets.moments import moments
from semalign.targets.pair_heads import PairHeads
from semalign.targets.store import States, StateStore


def test_states_of_all_places_are_those_of_a_pass_for_each(student, rows):
    model = Architecture(student.model)
    examples = encode(rows, student.tokenizer, 64)
    at = [list(example.positions()) for example in examples]
    places = [Place("layer", 1), Place("layer", 4), Place("mlp", 2), Place("residual", 3), Place("attention", 4)]
    found = read_states(model, examples, at, places)
    input_ids, mask = pad(examples)
    for place in places:
        expected = states_at(model, [place.layer], place.interface, input_ids, mask)[place.layer]
        for i in range(len(rows)):
            close(found.places[place][i], expected[i, at[i]])
    final = model.run(mask, input_ids=input_ids)
    close(found.final[3], final[3, at[3]])
    assert len(found.final.all()) == sum(map(len, at))


def test_states_in_memory_are_read_as_a_store_is():
    first, second = torch.randn(3, 2, dtype=torch.float64), torch.randn(4, 2, dtype=torch.float64)
    held = HeldStates([first, second])
    both = torch.cat([first, second])
    close(moments(held, held).xy, both.T @ both)


def test_states_in_memory_tell_what_those_on_disk_do(tmp_path):
    states = [torch.randn(3, 2), torch.randn(0, 2), torch.randn(4, 2)]
    store = StateStore(tmp_path, {}, [3, 0, 4], 2)
    store.ensure(lambda wanted: [states[i] for i in wanted])
    held = HeldStates(states)
    assert isinstance(held, States) and isinstance(store, States) and not isinstance(held, StateStore)
    assert (held.width, held.dtype, len(held)) == (store.width, store.dtype, len(store))
    assert list(held.offsets) == list(store.offsets) == [0, 3, 3, 7]
    assert all(torch.equal(held[i], store[i]) for i in range(3))


def test_a_map_of_ones_own_may_count_the_rows_of_states(teacher, student, monkeypatch):
    monkeypatch.setattr(MAPS, "_items", {name: MAPS[name] for name in MAPS})

    def mean_outer_product(x: States, y: States, settings: TransferSettings) -> torch.Tensor:
        return moments(x, y).xy / x.offsets[-1]

    alignment_map("mine", needs="states")(mean_outer_product)
    x, y = torch.randn(3, 16), torch.randn(3, 12)
    (found,) = Maps(PairHeads(Pair(teacher, student)), TransferSettings(), ["mine"]).fitted(
        HeldStates([x[:1], x[1:]]), HeldStates([y[:1], y[1:]])
    )["mine"]
    torch.testing.assert_close(found, x.T @ y / 3)
