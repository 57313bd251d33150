"""SemAlign between tiny models: its layers, and its losses against the formulas for vocabularies that differ."""

import pytest
import torch
from helpers.models import exact_basis, make_llama, make_tokenizer
from torch.nn.functional import cosine_similarity, normalize

import semalign
from semalign.data.rows import encode
from semalign.models.architecture import Architecture
from semalign.models.capture import capture
from semalign.models.loading import LanguageModel

FAST = {"epochs": 2, "batch_size": 4, "rank": 2, "attribution_examples": 3}


@pytest.mark.slow
def test_interpolated_and_overridden_layers(teacher, student, rows):
    result = semalign.transfer(teacher, student, rows, student_layer=2, interpolate=True, **FAST)
    assert result.record["details"]["teacher_layers"] == [[2, 0.5], [3, 0.5]]
    assert result.adapter_dir is None
    result = semalign.transfer(teacher, student, rows, teacher_layer=4, **FAST)
    assert (result.record["details"]["teacher_layers"], result.record["details"]["student_layer"]) == ([[5, 1.0]], 4)
    result = semalign.transfer(teacher, student, rows, teacher_layer=1, student_layer=3, **FAST)
    assert (result.record["details"]["teacher_layers"], result.record["details"]["student_layer"]) == ([[1, 1.0]], 3)


@torch.no_grad()
def literal_terms(teacher, student, rows):
    """Both terms of the objective on the student as it is, from whole forward passes and Eq. 1 and 2; layers 4 to 3."""
    atoms = [dict(zip(b.tokens, b.unit, strict=True)) for b in map(exact_basis, (teacher, student))]
    shared = [token for token in atoms[0] if token in atoms[1]]
    s_teacher, s_student = (torch.stack([unit[token] for token in shared]) for unit in atoms)
    layer, output = [], []
    for row in rows:
        theirs, wanted, _ = forward(teacher, row, 4)
        ours, states, scores = forward(student, row, 3)
        read = {text: j for j, text in enumerate(prefixes(theirs, teacher))}
        answered = [(i, text) for i, text in enumerate(prefixes(ours, student)) if i in ours.positions()]
        teacher_at, at = zip(*((read[text], i) for i, text in answered if text in read), strict=True)
        targets = (normalize(wanted[list(teacher_at)], dim=-1) @ s_teacher.T) @ s_student
        layer.append(1 - cosine_similarity(states[list(at)], targets, dim=-1))
        positions = list(ours.positions())
        labels = torch.tensor([ours.input_ids[i + 1] for i in positions])
        output.append(1 - scores[positions, labels] / scores[positions].norm(dim=-1))
    return len(shared), torch.cat(layer), torch.cat(output)


def forward(model, row, k):
    """One row as an example, with its states at layer k and its logits."""
    example = encode([row], model.tokenizer, 64)[0]
    with capture(Architecture(model.model), [k], "mlp") as seen:
        scores = model.model(torch.tensor([example.input_ids])).logits[0]
    return example, seen[k][0], scores


def prefixes(example, model):
    """The text that has been read after each token."""
    return [model.tokenizer.decode(example.input_ids[: i + 1]) for i in range(len(example))]


def first_step(teacher, student, rows):
    """Losses of a step on all rows at once, before it changes anything."""
    whole = {"teacher_layer": 4, "student_layer": 3, "epochs": 1, "batch_size": len(rows), "rank": 2}
    (losses,) = semalign.transfer(teacher, student, rows, **whole).record["losses"]
    return losses


def test_a_teacher_with_one_token_more(student, rows):
    tokenizer = make_tokenizer()
    tokenizer.add_tokens(["[PAD]"])
    teacher = LanguageModel(make_llama(len(tokenizer), 16, 5, seed=1), tokenizer)
    shared, layer, output = literal_terms(teacher, student, rows)
    assert shared == len(tokenizer) - 1 and len(layer) == len(output)  # both read the rows alike
    losses = first_step(teacher, student, rows)
    assert losses == {"layer": approx(layer.mean()), "output": approx(output.mean())}


def test_a_teacher_that_cuts_words_differently(student, rows):
    tokenizer = make_tokenizer(words=["is", "ha"])
    teacher = LanguageModel(make_llama(len(tokenizer), 16, 5, seed=1), tokenizer)
    rows = [*rows, {"prompt": "what is", "response": " a bad hat"}]
    shared, layer, output = literal_terms(teacher, student, rows)
    assert shared < len(tokenizer) and len(layer) < len(output)  # some positions have no partner
    losses = first_step(teacher, student, rows)
    assert losses == {"layer": approx(layer.mean()), "output": approx(output.mean())}


def approx(mean):
    return pytest.approx(mean.item(), rel=1e-5)  # the alignment map is in float32


def test_strangers_share_too_few_tokens(student, rows):
    tokenizer = make_tokenizer()
    alien = make_tokenizer(words=[])
    alien.add_tokens([f"<{i}>" for i in range(50)])
    teacher = LanguageModel(make_llama(len(alien), 64, 5, seed=1), alien)
    assert len(tokenizer) > 64
    with pytest.raises(ValueError, match="too few shared tokens"):
        semalign.transfer(teacher, student, rows, **FAST)
