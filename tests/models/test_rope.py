"""Rope that depends on the length of a text: each row of a batch has what it has alone, whatever ran before."""

import copy

import pytest
import torch
from helpers.models import SMALL, make_architecture
from lm_eval.api.instance import Instance

from semalign import attribute_layers
from semalign.data.rows import batches, encode, pad
from semalign.evaluation.transformers_engine import transformers_engine
from semalign.models.architecture import Architecture
from semalign.models.capture import run_from, states_at, states_entering
from semalign.models.loading import LanguageModel
from semalign.models.rope import depends_on_length, own_lengths, rope_kinds, varying
from semalign.targets.passes import StatePasses
from semalign.training.finetuning import response_nll

ROPES = {
    "longrope": {
        "rope_type": "longrope",
        "rope_theta": 1e4,
        "partial_rotary_factor": 1.0,
        "short_factor": [1.0, 1.1, 1.2, 1.3],
        "long_factor": [2.0, 3.0, 5.0, 9.0],
        "original_max_position_embeddings": 10,
    },
    "dynamic": {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 4.0},
}
STATIC = {
    "default": {"rope_type": "default", "rope_theta": 1e4},
    "linear": {"rope_type": "linear", "rope_theta": 1e4, "factor": 4.0},
    "yarn": {"rope_type": "yarn", "rope_theta": 1e4, "factor": 4.0, "original_max_position_embeddings": 10},
    "llama3": {
        "rope_type": "llama3",
        "rope_theta": 1e4,
        "factor": 4.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 10,
    },
}


def make(rope, vocabulary=96):
    kind = "phi3" if rope["rope_type"] == "longrope" else "llama"
    # Dynamic NTK takes the context of the configuration as that of the first training.
    context = 10 if rope["rope_type"] == "dynamic" else 64
    own = {"original_max_position_embeddings": 10} if kind == "phi3" else {}
    return make_architecture(
        kind,
        vocab_size=vocabulary,
        **{**SMALL, "max_position_embeddings": context, "rope_parameters": rope, "initializer_range": 0.3, **own},
    )


@pytest.fixture(params=ROPES)
def model(request, tokenizer):
    return LanguageModel(make(ROPES[request.param], len(tokenizer)), tokenizer)


@pytest.fixture
def rows():
    """Rows of 6 to 26 tokens: on both sides of the first context, and of that length exactly."""
    return [{"prompt": "x" * n, "response": "z" * 3} for n in (2, 22, 6, 8, 12, 7, 3)]


def alone(model, example, **inputs):
    """Return the output of plain transformers for one row; a copy remembers no other text."""
    ids = torch.tensor([example.input_ids])
    return copy.deepcopy(model.model)(input_ids=ids, output_hidden_states=True, use_cache=False)


@torch.no_grad()
def test_a_row_of_a_batch_is_as_it_is_alone(model, rows):
    architecture, examples = Architecture(model.model), encode(rows, model.tokenizer, 64)
    assert {len(e) for e in examples} >= {6, 10, 11, 26}
    ids, mask = pad(examples)
    final = architecture.run(mask, input_ids=ids)
    entering = states_entering(architecture, 2, ids, mask)
    resumed = run_from(architecture, 2, entering, mask)
    layer = states_at(architecture, [2], "layer", ids, mask)[2]
    for i, example in enumerate(examples):
        expected = alone(model, example)
        n = len(example)
        torch.testing.assert_close(entering[i, :n], expected.hidden_states[1][0])
        torch.testing.assert_close(layer[i, :n], expected.hidden_states[2][0])
        for states in (final, resumed):
            torch.testing.assert_close(architecture.logits(states[i, :n]), expected.logits[0])


@torch.no_grad()
def test_padding_on_the_left_changes_nothing(model, rows):
    architecture, example = Architecture(model.model), encode(rows, model.tokenizer, 64)[0]
    n = len(example)
    ids = torch.tensor([[0] * (26 - n) + list(example.input_ids)])
    mask = torch.tensor([[0] * (26 - n) + [1] * n])
    logits = architecture.logits(architecture.run(mask, input_ids=ids))
    torch.testing.assert_close(logits[0, -n:], alone(model, example).logits[0])


@torch.no_grad()
def test_without_it_rows_depend_on_their_batch_and_on_the_past(model, rows):
    """What the rest of this file is for: plain transformers gives short rows other states next to a long one."""
    ids, mask = pad(encode(rows, model.tokenizer, 64))
    plain = model.model(input_ids=ids, attention_mask=mask, use_cache=False).logits
    assert not torch.allclose(plain[0, :6], alone(model, encode(rows[:1], model.tokenizer, 64)[0]).logits[0])


@torch.no_grad()
def test_what_ran_before_does_not_matter(model, rows):
    architecture, examples = Architecture(model.model), encode(rows, model.tokenizer, 64)
    expected = [alone(model, example).logits[0] for example in examples]
    for i in (1, 4, 3, 0, 1):
        final = architecture.run(input_ids=torch.tensor([examples[i].input_ids]))
        torch.testing.assert_close(architecture.logits(final)[0], expected[i])
    long = torch.tensor([examples[1].input_ids])
    model.model(input_ids=long, use_cache=False)  # the caller's own pass
    final = architecture.run(input_ids=torch.tensor([examples[4].input_ids]))
    torch.testing.assert_close(architecture.logits(final)[0], expected[4])


def test_stored_states_attribution_and_nll_do_not_depend_on_the_batch(model, rows, tmp_path):
    architecture, examples = Architecture(model.model), encode(rows, model.tokenizer, 64)
    at = [list(range(len(example))) for example in examples]
    stored = StatePasses(architecture, examples, at, tmp_path, "it").entering_states(2)
    together = attribute_layers(model, batches(examples, len(examples)))
    one_by_one = attribute_layers(model, batches(examples, 1))
    torch.testing.assert_close(together, one_by_one)
    total, n = 0.0, 0
    for i, example in enumerate(examples):
        expected = alone(model, example)
        torch.testing.assert_close(stored[i], expected.hidden_states[1][0])
        log_p = expected.logits[0].float().log_softmax(-1)
        total -= sum(log_p[p, example.input_ids[p + 1]].item() for p in example.positions())
        n += len(example.positions())
    assert response_nll(architecture, examples) == pytest.approx(total / n, rel=1e-5)


@torch.no_grad()
def test_scores_of_an_evaluation_are_those_of_single_rows(model, rows):
    asked = [Instance("loglikelihood", {}, (row["prompt"], row["response"]), 0) for row in rows]
    model.model.config.max_position_embeddings = 64  # what lm-eval cuts at
    with transformers_engine(model, 4) as engine:
        found = [score for score, _ in engine.loglikelihood(asked)]
    for row, score in zip(rows, found, strict=True):
        ids = model.tokenizer(row["prompt"] + row["response"]).input_ids
        start = len(model.tokenizer(row["prompt"]).input_ids)
        # lm-eval does not show the model the last token, which predicts nothing.
        logits = copy.deepcopy(model.model)(torch.tensor([ids[:-1]]), use_cache=False).logits[0]
        log_p = logits.log_softmax(-1)
        expected = sum(log_p[i - 1, ids[i]].item() for i in range(start, len(ids)))
        assert score == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", STATIC)
def test_other_ropes_are_left_alone(name):
    model = make(STATIC[name])
    assert not varying(model) and not any(map(depends_on_length, rope_kinds(model.config.rope_parameters)))
    with own_lengths(varying(model), torch.ones(1, 3, dtype=torch.long)):
        assert not any("forward" in vars(module) for module in model.modules())


def test_a_configuration_names_its_types_of_rope(model):
    (kind,) = rope_kinds(model.model.config.rope_parameters)
    assert depends_on_length(kind)
    assert rope_kinds({"full": {"rope_type": "yarn"}, "sliding": {"rope_type": "default"}}) == ["yarn", "default"]
    assert rope_kinds(None) == []


def test_patches_end_with_the_block(model):
    (rotary,) = varying(model.model)
    with pytest.raises(RuntimeError, match="stopped"), own_lengths(varying(model.model), None):
        assert "forward" in vars(rotary)
        raise RuntimeError("stopped")
    assert "forward" not in vars(rotary)
    assert torch.equal(rotary.inv_freq, rotary.original_inv_freq)
