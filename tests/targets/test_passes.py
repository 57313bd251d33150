"""States that are kept, against those of whole forward passes of one row at a time; each is computed once."""

import copy
import shutil
from dataclasses import replace

import pytest
import torch
from helpers.models import close, make_llama

from semalign.data.rows import encode
from semalign.models.architecture import Architecture
from semalign.models.capture import capture, only_layers
from semalign.models.identity import model_identity
from semalign.models.loading import LanguageModel
from semalign.targets import passes as module
from semalign.targets import store as store_module
from semalign.targets.passes import StatePasses


@pytest.fixture
def passes(teacher, rows, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "FORWARD_EXAMPLES", 5)  # 12 rows, of different lengths
    rows = [{**row, "response": row["response"] * (1 + i % 3)} for i, row in enumerate(rows)]
    examples = encode(rows, teacher.tokenizer, 64)
    at = [list(example.positions())[i % 2 :] for i, example in enumerate(examples)]
    return StatePasses(Architecture(teacher.model), examples, at, tmp_path, "mark")


def final_states(passes):
    (store,) = passes.layer_states([], "mlp", final=True)
    return store


@torch.no_grad()
def whole(passes, i, layers=(), interface="mlp"):
    """States of one row at some layers, from a pass of its own, and all hidden states of transformers."""
    ids = torch.tensor([passes.examples[i].input_ids])
    with capture(passes.model, layers, interface) as states:
        hidden = passes.model.model(ids, output_hidden_states=True).hidden_states
    return {k: state[0] for k, state in states.items()}, [state[0] for state in hidden]


@pytest.mark.parametrize("interface", ["mlp", "residual"])
def test_layer_states_are_the_weighted_sum_at_the_positions(passes, interface):
    store = passes.layer_states([[(2, 0.25), (4, 0.75)]], interface)[0]
    assert len(store) == 12
    for i in range(12):
        states, _ = whole(passes, i, [2, 4], interface)
        close(store[i], (0.25 * states[2] + 0.75 * states[4])[passes.at[i]])


def test_states_of_two_layers_are_not_rounded_when_they_are_summed(teacher, passes):
    half = replace(passes, model=Architecture(copy.deepcopy(teacher.model).bfloat16()))
    store = half.layer_states([[(2, 0.3), (4, 0.7)]], "mlp")[0]
    alone = [half.layer_states([[(k, 1.0)]], "mlp")[0] for k in (2, 4)]
    assert alone[0][0].dtype == torch.bfloat16 and store[0].dtype == torch.float32
    for i in range(12):
        expected = 0.3 * alone[0][i].float() + 0.7 * alone[1][i].float()
        torch.testing.assert_close(store[i], expected, rtol=1e-6, atol=1e-7)


def test_final_states_are_those_that_the_head_reads(passes):
    store = final_states(passes)
    for i in range(12):
        _, hidden = whole(passes, i)
        close(store[i], hidden[-1][passes.at[i]])


@pytest.mark.parametrize("k", [1, 3])
def test_entering_states_are_those_of_all_tokens(passes, k):
    store = passes.entering_states(k)
    for i, example in enumerate(passes.examples):
        assert store[i].shape == (len(example), 16)
        close(store[i], whole(passes, i)[1][k - 1])


def test_what_is_learnt_about_the_memory_holds_for_all_shards(passes, monkeypatch):
    monkeypatch.setattr(store_module, "SHARD_EXAMPLES", 4)  # 12 rows: three shards
    errors, asked, forward = [], [], passes.model.decoder.forward

    def of_one_row(*arguments, input_ids, **others):
        if len(input_ids) > 1:
            errors.append(len(input_ids))
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return forward(*arguments, input_ids=input_ids, **others)

    monkeypatch.setattr(passes.model.decoder, "forward", of_one_row)
    by_name = replace(passes, weights=lambda: asked.append("weights") or passes.model)
    store = final_states(by_name)
    assert errors == [4, 2] and asked == ["weights"]
    for i in range(12):
        close(store[i], whole(passes, i)[1][-1][passes.at[i]])
    final_states(by_name)
    assert errors == [4, 2] and asked == ["weights"]  # what is on disk needs neither


SEVERAL = [[(2, 1.0)], [(1, 0.25), (2, 0.75)], [(4, 1.0)]]


@pytest.fixture
def ran(passes):
    """The layers that run, in the order in which they do."""
    found = []
    for k, layer in enumerate(passes.model.layers, start=1):
        layer.register_forward_pre_hook(lambda *_, k=k: found.append(k) or None)
    return found


@pytest.mark.parametrize("interface", ["mlp", "layer", "heads"])
def test_states_of_several_places_come_from_the_same_passes_and_are_those_of_passes_of_their_own(
    passes, ran, tmp_path, interface
):
    together = passes.layer_states(SEVERAL, interface, final=True)
    assert ran == [1, 2, 3, 4, 5] * (len(ran) // 5)
    passed = len(ran)
    apart = replace(passes, folder=tmp_path / "apart")
    alone = [apart.layer_states([mixture], interface)[0] for mixture in SEVERAL]
    alone += apart.layer_states([], interface, final=True)
    assert len(ran) == 5 * passed  # layers that are passed through count, too
    for one, other in zip(together, alone, strict=True):
        assert one.folder.name == other.folder.name and one.dtype == other.dtype
        assert all(torch.equal(one[i], other[i]) for i in range(12))


def test_only_what_is_missing_is_computed_up_to_its_deepest_layer(passes, monkeypatch):
    shallow, final = passes.layer_states([SEVERAL[0]], "mlp", final=True)
    shutil.rmtree(shallow.folder)
    asked = []
    monkeypatch.setattr(module, "only_layers", lambda *given: asked.append(given[1:]) or only_layers(*given))
    again = passes.layer_states([SEVERAL[0]], "mlp", final=True)
    assert set(asked) == {(1, 2)} and torch.equal(again[1][3], final[3])
    close(again[0][3], whole(passes, 3, [2])[0][2][passes.at[3]])


def test_two_layers_with_the_same_teacher_layer_share_its_states(passes, ran):
    first, second = passes.layer_states([SEVERAL[0]] * 2, "mlp")
    assert first.folder == second.folder and torch.equal(first[2], second[2])
    passes.layer_states([SEVERAL[2]], "mlp")
    assert ran == [1, 2, 3, 4, 5] * 2 * 3  # three parts of at most five rows, twice


def test_shards_that_are_too_large_together_are_computed_apart(passes, ran, monkeypatch):
    monkeypatch.setattr(store_module, "IN_MEMORY", 1)
    for store, mixture in zip(passes.layer_states(SEVERAL[::2], "mlp"), SEVERAL[::2], strict=True):
        k = mixture[0][0]
        close(store[7], whole(passes, 7, [k])[0][k][passes.at[7]])
    assert len(ran) == 2 * 3 * 5 + 2 * 5


def with_version(number, monkeypatch, states):
    """Return a function that gets states as if the code that computes them were another."""

    def changed():
        with monkeypatch.context() as patch:
            patch.setattr("semalign.models.identity.STATE_VERSION", number)
            states()

    return changed


@pytest.mark.parametrize("settings", [{"rope_theta": 50.0}, {"rms_norm_eps": 0.5}, {"num_attention_heads": 4}])
def test_equal_weights_under_other_settings_have_their_own_states(teacher, rows, tmp_path, settings):
    found = []
    for given in ({}, settings):
        model = LanguageModel(
            make_llama(len(teacher.tokenizer), 16, 5, seed=1, **settings_of(given)), teacher.tokenizer
        )
        examples = encode(rows[:2], model.tokenizer, 64)
        at = [list(example.positions()) for example in examples]
        passes = StatePasses(Architecture(model.model), examples, at, tmp_path, model_identity(model))
        found.append(passes.layer_states([[(3, 1.0)]], "layer")[0][0])
        close(found[-1], whole(passes, 0, [3], "layer")[0][3][at[0]])
    assert not torch.allclose(*found, atol=1e-4)


def settings_of(given):
    """Return settings under which the weights have the same shapes."""
    if "rope_theta" in given:
        return {"rope_parameters": {"rope_type": "default", **given}}
    heads = given.get("num_attention_heads", 2)
    return {**given, "num_key_value_heads": heads}


def test_what_is_on_disk_is_not_computed_again_and_other_inputs_are(passes, monkeypatch):
    first = [*passes.layer_states([[(2, 1.0)]], "mlp", final=True), passes.entering_states(2)]
    ran = []
    forward = passes.model.decoder.forward
    monkeypatch.setattr(passes.model.decoder, "forward", lambda *a, **k: ran.append(1) or forward(*a, **k))
    again = [*passes.layer_states([[(2, 1.0)]], "mlp", final=True), passes.entering_states(2)]
    assert not ran and all(torch.equal(a[0], b[0]) for a, b in zip(first, again, strict=True))
    moved = [[position - 1 for position in positions] for positions in passes.at]
    for changed in (
        lambda: passes.layer_states([[(3, 1.0)]], "mlp"),
        lambda: passes.layer_states([[(2, 1.0)]], "layer"),
        lambda: final_states(replace(passes, at=moved)),
        lambda: replace(passes, at=moved).layer_states([[(2, 1.0)]], "mlp")[0],
        lambda: final_states(replace(passes, fingerprint="other")),
        with_version("another", monkeypatch, lambda: final_states(passes)),
        lambda: final_states(replace(passes, examples=passes.examples[::-1], at=passes.at[::-1])),
        lambda: passes.entering_states(3),
    ):
        ran.clear()
        changed()
        assert ran
