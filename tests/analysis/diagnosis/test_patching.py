"""The patch test: a student's own states change nothing, and others what a literal forward pass with them says."""

import pytest
import torch
from helpers.models import SMALL, SPECIAL, make_architecture, normal
from torch.nn.functional import cross_entropy

from semalign.analysis.diagnosis.patching import PatchTest, changed, mixed_in
from semalign.analysis.diagnosis.states import Place, read_states
from semalign.data.rows import encode
from semalign.models.architecture import Architecture
from semalign.models.patching import first
from semalign.targets.supervision import At

INTERFACES = ("attention", "mlp", "residual", "layer")


@pytest.fixture
def examples(student, rows):
    return encode(rows, student.tokenizer, 64)


@pytest.fixture
def at(examples):
    return [list(example.positions()) for example in examples]


def literal_nll(student, example, k, interface, change):
    """The response NLL of one row, by a whole pass of the model in which one module's output is changed."""
    layer = student.model.model.layers[k - 1]
    module = {"attention": layer.self_attn.o_proj, "mlp": layer.mlp.down_proj}.get(interface, layer)
    where = list(example.positions())

    def hook(module, args, kwargs, output):
        state = first(output)
        before = args[0] if interface == "residual" else torch.zeros_like(state)
        new = state.clone()
        new[0, where] = before[0, where] + change((state - before)[0, where])
        return new

    handle = module.register_forward_hook(hook, with_kwargs=True)
    ids = torch.tensor([example.input_ids])
    logits = student.model(ids).logits[0, where]
    handle.remove()
    return cross_entropy(logits, ids[0, [i + 1 for i in where]]).item()


@pytest.mark.parametrize("interface", INTERFACES)
@pytest.mark.parametrize("k", [1, 3])
def test_targets_take_the_place_of_states(student, examples, at, interface, k):
    targets = [normal(len(row), 12, seed=i) for i, row in enumerate(at)]
    test = PatchTest(Architecture(student.model), examples, at, k, interface)
    for strength in (0.3, 1.0):
        found = test.patched(targets, strength)
        for i, example in enumerate(examples):
            expected = literal_nll(student, example, k, interface, mixed_in(targets[i], strength))
            assert found[i] == pytest.approx(expected, abs=1e-6)
    zero = test.patched(None, 1.0)
    assert zero[2] == pytest.approx(literal_nll(student, examples[2], k, interface, torch.zeros_like), abs=1e-6)


@pytest.mark.parametrize("interface", INTERFACES)
def test_a_student_s_own_states_change_nothing(student, examples, at, interface):
    model = Architecture(student.model)
    own = read_states(model, examples, at, [Place(interface, 2)]).places[Place(interface, 2)]
    test = PatchTest(model, examples, at, 2, interface)
    states = [5 * own[i] for i in range(len(examples))]  # the scale of a target does not count
    assert test.patched(states, 1.0) == pytest.approx(test.own(), abs=1e-6)


def test_a_mixture_keeps_the_norm_of_the_state():
    state = torch.tensor([[3.0, 4.0]])
    assert mixed_in(torch.tensor([[0.0, 2.0]]), 1.0)(state).tolist() == [[0.0, 5.0]]
    assert mixed_in(torch.tensor([[0.0, 2.0]]), 0.5)(state).tolist() == [[1.5, 4.5]]
    assert mixed_in(None, 0.5)(state).tolist() == [[1.5, 2.0]]


def test_what_a_layer_adds_is_changed_where_the_model_scales_it():
    model = Architecture(make_architecture("granite", **SPECIAL["granite"]))
    ids, at = torch.tensor([[5, 6, 7]]), At.of([[1]], torch.device("cpu"))
    assert model.residual_scale == SPECIAL["granite"]["residual_multiplier"] != 1
    outputs = {}
    for interface in ("mlp", "residual"):  # the MLP adds last: with the layer's other part taken along
        with changed(model, 3, interface, at, lambda state: state):
            outputs[interface] = model.run(input_ids=ids)
    torch.testing.assert_close(outputs["mlp"], model.run(input_ids=ids))
    torch.testing.assert_close(outputs["residual"], outputs["mlp"])


@pytest.mark.parametrize("interface", INTERFACES)
def test_other_layouts_are_changed_and_left_as_they_were(interface):
    model = Architecture(make_architecture("gpt2", **SPECIAL.get("gpt2", SMALL)))
    ids, at = torch.tensor([[5, 6, 7]]), At.of([[0, 1, 2]], torch.device("cpu"))
    before = model.run(input_ids=ids)
    with changed(model, 2, interface, at, lambda state: 2 * state):
        inside = model.run(input_ids=ids)
    assert not torch.allclose(inside, before)
    torch.testing.assert_close(model.run(input_ids=ids), before)


def test_patched_states_that_overflow_are_told(student, examples, at):
    test = PatchTest(Architecture(student.model), examples, at, 2, "layer")
    student.model.model.layers[3].register_forward_hook(lambda module, args, output: torch.full_like(output, torch.inf))
    with pytest.raises(ValueError, match=r"the states of .* are not finite, first in layer 4"):
        test.own()
