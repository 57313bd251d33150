"""States that are kept, against those of whole forward passes of one row at a time; each is computed once."""

import copy
from dataclasses import replace

import pytest
import torch
from helpers.models import close, make_llama

from semalign.data.rows import encode
from semalign.models.architecture import Architecture
from semalign.models.capture import capture
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


@torch.no_grad()
def whole(passes, i, layers=(), interface="mlp"):
    """States of one row at some layers, from a pass of its own, and all hidden states of transformers."""
    ids = torch.tensor([passes.examples[i].input_ids])
    with capture(passes.model, layers, interface) as states:
        hidden = passes.model.model(ids, output_hidden_states=True).hidden_states
    return {k: state[0] for k, state in states.items()}, [state[0] for state in hidden]


@pytest.mark.parametrize("interface", ["mlp", "residual"])
def test_layer_states_are_the_weighted_sum_at_the_positions(passes, interface):
    store = passes.layer_states([(2, 0.25), (4, 0.75)], interface)
    assert len(store) == 12
    for i in range(12):
        states, _ = whole(passes, i, [2, 4], interface)
        close(store[i], (0.25 * states[2] + 0.75 * states[4])[passes.at[i]])


def test_states_of_two_layers_are_not_rounded_when_they_are_summed(teacher, passes):
    half = replace(passes, model=Architecture(copy.deepcopy(teacher.model).bfloat16()))
    store = half.layer_states([(2, 0.3), (4, 0.7)], "mlp")
    alone = [half.layer_states([(k, 1.0)], "mlp") for k in (2, 4)]
    assert alone[0][0].dtype == torch.bfloat16 and store[0].dtype == torch.float32
    for i in range(12):
        expected = 0.3 * alone[0][i].float() + 0.7 * alone[1][i].float()
        torch.testing.assert_close(store[i], expected, rtol=1e-6, atol=1e-7)


def test_final_states_are_those_that_the_head_reads(passes):
    store = passes.final_states()
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
    store = by_name.final_states()
    assert errors == [4, 2] and asked == ["weights"]
    for i in range(12):
        close(store[i], whole(passes, i)[1][-1][passes.at[i]])
    by_name.final_states()
    assert errors == [4, 2] and asked == ["weights"]  # what is on disk needs neither


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
        found.append(passes.layer_states([(3, 1.0)], "layer")[0])
        close(found[-1], whole(passes, 0, [3], "layer")[0][3][at[0]])
    assert not torch.allclose(*found, atol=1e-4)


def settings_of(given):
    """Return settings under which the weights have the same shapes."""
    if "rope_theta" in given:
        return {"rope_parameters": {"rope_type": "default", **given}}
    heads = given.get("num_attention_heads", 2)
    return {**given, "num_key_value_heads": heads}


def test_what_is_on_disk_is_not_computed_again_and_other_inputs_are(passes, monkeypatch):
    first = [passes.layer_states([(2, 1.0)], "mlp"), passes.final_states(), passes.entering_states(2)]
    ran = []
    forward = passes.model.decoder.forward
    monkeypatch.setattr(passes.model.decoder, "forward", lambda *a, **k: ran.append(1) or forward(*a, **k))
    again = [passes.layer_states([(2, 1.0)], "mlp"), passes.final_states(), passes.entering_states(2)]
    assert not ran and all(torch.equal(a[0], b[0]) for a, b in zip(first, again, strict=True))
    moved = [[position - 1 for position in positions] for positions in passes.at]
    for changed in (
        lambda: passes.layer_states([(3, 1.0)], "mlp"),
        lambda: passes.layer_states([(2, 1.0)], "layer"),
        lambda: replace(passes, at=moved).final_states(),
        lambda: replace(passes, at=moved).layer_states([(2, 1.0)], "mlp"),
        lambda: replace(passes, fingerprint="other").final_states(),
        with_version("another", monkeypatch, passes.final_states),
        lambda: replace(passes, examples=passes.examples[::-1], at=passes.at[::-1]).final_states(),
        lambda: passes.entering_states(3),
    ):
        ran.clear()
        changed()
        assert ran
