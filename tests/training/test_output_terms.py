"""Values of the output terms at each position, against logits written out in float64."""

from types import SimpleNamespace

import pytest
import torch
from helpers.models import close, make_architecture, normal
from torch import nn

from semalign.models import token_losses
from semalign.models.architecture import Architecture
from semalign.settings import TransferSettings
from semalign.targets.supervision import Batch, TeacherHead
from semalign.training.output_terms import OUTPUT_TERMS, OutputTerm, output_term

LABELS = torch.tensor([3, 0, 7, 7, 1, 60])


@pytest.fixture(params=[2**22, 200], ids=["one part", "three parts"], autouse=True)
def parts(monkeypatch, request):
    """Logits of all six positions at once, or of two: the student's head has 93 rows."""
    monkeypatch.setattr(token_losses, "LOGITS_AT_ONCE", request.param)


def term(student, name, smoothing=0.0, head=None):
    return OUTPUT_TERMS[name](Architecture(student.model), TransferSettings(label_smoothing=smoothing), head)


def test_a_term_says_where_it_is_registered_whether_it_needs_the_teacher(monkeypatch):
    monkeypatch.setattr(OUTPUT_TERMS, "_items", {name: OUTPUT_TERMS[name] for name in OUTPUT_TERMS})
    assert output_term("mine", needs_teacher=True)(type("Mine", (OutputTerm,), {})).needs_teacher
    assert not output_term("other")(type("Other", (OutputTerm,), {})).needs_teacher and not OutputTerm.needs_teacher
    for bases, own in (((OUTPUT_TERMS["kl"],), {}), ((OutputTerm,), {"needs_teacher": True})):
        with pytest.raises(ValueError, match="output term 'third' needs the teacher: register it with needs_teacher"):
            output_term("third")(type("Third", bases, own))


def batch(labels=None, teacher_final=None):
    return Batch(None, None, None, labels, None, {}, teacher_final)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("name", ["cosine", "centred_cosine", "cross_entropy"])
def test_terms_to_the_labels(student, name, smoothing):
    states, head = normal(6, 12), student.model.lm_head.weight.detach()
    z = states @ head.T
    y = (1 - smoothing) * nn.functional.one_hot(LABELS, len(head)).double() + smoothing / len(head)
    if name == "centred_cosine":
        z, y = z - z.mean(-1, keepdim=True), y - y.mean(-1, keepdim=True)
    expected = 1 - nn.functional.cosine_similarity(z, y, dim=-1)
    if name == "cross_entropy":
        expected = -(y * z.log_softmax(-1)).sum(-1)
    close(term(student, name, smoothing)(states, batch(labels=LABELS)).detach(), expected)


@pytest.mark.parametrize("name", ["kl", "reverse_kl"])
def test_terms_to_the_teacher_are_over_shared_tokens(teacher, student, name):
    ids = torch.tensor([5, 1, 9, 30]), torch.tensor([2, 8, 3, 1])
    states, theirs = normal(6, 12).requires_grad_(), normal(6, 16, seed=1)
    log_p = (theirs @ teacher.model.lm_head.weight.T)[:, ids[0]].log_softmax(-1)
    log_q = (states @ student.model.lm_head.weight.T)[:, ids[1]].log_softmax(-1)
    if name == "reverse_kl":
        log_p, log_q = log_q, log_p
    expected = (log_p.exp() * (log_p - log_q)).sum(-1)
    found = term(student, name, head=TeacherHead(Architecture(teacher.model), *ids))
    assert found.needs_teacher
    values = found(states, batch(teacher_final=theirs))
    close(values.detach(), expected.detach())
    close(*(torch.autograd.grad(each.square().sum(), states)[0] for each in (values, expected)))


def test_soft_caps_and_biases_stand_between_state_and_logit():
    config = {"hidden_size": 12, "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    capped = make_architecture("gemma2", **config, head_dim=6, num_key_value_heads=1, final_logit_softcapping=2.0)
    head, states = capped.lm_head.weight.detach(), normal(6, 12).to(capped.dtype).requires_grad_()
    z = 2.0 * torch.tanh(states @ head.T / 2.0)
    values = term(SimpleNamespace(model=capped), "cosine")(states, batch(labels=LABELS))
    expected = 1 - nn.functional.cosine_similarity(z, nn.functional.one_hot(LABELS, len(head)).to(z), dim=-1)
    torch.testing.assert_close(values, expected)
    torch.testing.assert_close(*(torch.autograd.grad(each.sum(), states) for each in (values, expected)))


def test_what_a_term_cannot_do_is_told_when_it_is_made(student):
    with pytest.raises(ValueError, match="needs the teacher's head"):
        term(student, "kl")
    config = {"hidden_size": 12, "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    capped = make_architecture("gemma2", **config, head_dim=6, num_key_value_heads=1, final_logit_softcapping=2.0)
    with pytest.raises(ValueError, match="'centred_cosine' needs logits that are linear"):
        term(SimpleNamespace(model=capped), "centred_cosine")


def test_a_class_under_two_names_needs_the_teacher_under_both_or_none(monkeypatch):
    for registered in ("_items", "_owners"):
        monkeypatch.setattr(OUTPUT_TERMS, registered, dict(getattr(OUTPUT_TERMS, registered)))
    term = output_term("once")(type("Mine", (OutputTerm,), {}))
    output_term("twice")(term)
    with pytest.raises(ValueError, match="'thrice': its class is known as one that needs no teacher"):
        output_term("thrice", needs_teacher=True)(term)
