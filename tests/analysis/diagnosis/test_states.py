"""States of several places from one pass are those of a pass for each."""

import torch
from helpers.models import close

from semalign.analysis.diagnosis.states import HeldStates, Place, read_states
from semalign.data.rows import encode, pad
from semalign.models.architecture import Architecture
from semalign.models.capture import states_at
from semalign.targets.moments import moments


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
