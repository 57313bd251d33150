"""Equations 1 and 2, literally, against the composed operator; vocabularies that differ."""

import logging
import math
from dataclasses import replace

import pytest
import torch

from semalign.bases.basis import SemanticBasis
from semalign.targets import alignment
from semalign.targets.alignment import AtomAlignment, alignment_map, decompose, recompose
from semalign.targets.vocabularies import shared_atoms


def basis(m, d, seed, tokens=None):
    return replace(SemanticBasis.random(m, d, seed), tokens=tokens)


def double(b):
    return replace(b, vectors=b.vectors.double())


def test_equation_1_by_hand():
    unit = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    torch.testing.assert_close(decompose(torch.tensor([3.0, 4.0]), unit), torch.tensor([0.6, 0.8, 1.0]))


def test_equation_2_by_hand():
    unit = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    torch.testing.assert_close(recompose(torch.tensor([1.0, 2.0, 10.0]), unit), torch.tensor([7.0, 10.0]))


def test_the_operator_is_the_literal_form_up_to_scale():
    teacher, student = double(basis(90, 10, 1)), double(basis(90, 7, 2))
    h = torch.randn(4, 5, 10, dtype=torch.float64)
    s_t, s_s = teacher.unit.T, student.unit.T  # the paper's D x m
    literal = torch.stack([s_s @ (s_t.T @ x / x.norm()) for x in h.flatten(0, 1)]).reshape(4, 5, 7)
    torch.testing.assert_close(recompose(decompose(h, teacher.unit), student.unit), literal, rtol=1e-12, atol=1e-12)
    m = alignment_map(teacher, student)
    assert m.shape == (10, 7)
    torch.testing.assert_close(h @ m / h.norm(dim=-1, keepdim=True), literal, rtol=1e-12, atol=1e-12)


def test_a_target_of_one_atom_by_hand():
    teacher, student = torch.tensor([[1.0, 0.0], [0.0, -1.0], [0.6, 0.8]]), torch.eye(3)
    few = AtomAlignment(teacher, student, 1)
    states = torch.tensor([[3.0, 4.0], [1.0, 5.0]])  # cosines 0.6, -0.8, 1.0; and 1, -5, 4.6 over the length
    torch.testing.assert_close(few.targets(states), torch.tensor([[0.0, 0.0, 5.0], [0.0, -5.0, 0.0]]))


def test_targets_of_all_atoms_are_those_of_the_operator():
    teacher, student = basis(90, 10, 1), basis(90, 7, 2)
    h = torch.randn(4, 10)
    for kept in (90, 1000):
        found = AtomAlignment.of(teacher, student, kept).targets(h)
        torch.testing.assert_close(found, h @ alignment_map(teacher, student), rtol=1e-4, atol=1e-4)
    few = AtomAlignment.of(teacher, student, 60).targets(h)
    assert not torch.allclose(few, h @ alignment_map(teacher, student), rtol=1e-2)


def test_a_temperature_makes_probabilities_of_the_cosines():
    teacher, student = double(basis(9, 4, 1)).unit, double(basis(9, 3, 2)).unit
    h = torch.randn(2, 4, dtype=torch.float64)
    for temperature, kept in ((0.3, None), (0.05, 2)):
        found = AtomAlignment(teacher, student, kept, temperature).targets(h)
        for state, target in zip(h, found, strict=True):
            weights = [math.exp(float(state @ s / state.norm()) / temperature) for s in teacher]
            chosen = sorted(range(9), key=lambda i: -weights[i])[: kept or 9]
            literal = sum(weights[i] / sum(weights) * student[i] for i in chosen)
            torch.testing.assert_close(target, state.norm() * literal, rtol=1e-10, atol=1e-12)
    nearest = student[(h @ teacher.T).argmax(1)]
    cold = AtomAlignment(teacher, student, temperature=1e-4).targets(h)
    torch.testing.assert_close(cold, h.norm(dim=1, keepdim=True) * nearest)


def test_chunks_do_not_matter(monkeypatch):
    teacher, student = double(basis(90, 10, 1)), double(basis(90, 7, 2))
    whole = alignment_map(teacher, student)
    monkeypatch.setattr("semalign.targets.alignment.CHUNK", 11)
    torch.testing.assert_close(alignment_map(teacher, student), whole)


def test_atoms_match_by_token_whatever_their_order(caplog):
    tokens = tuple(f"t{i}" for i in range(40))
    teacher = double(basis(41, 10, 1, (*tokens, "[PAD]")))
    order = torch.randperm(40)
    student = double(basis(40, 7, 2, tokens))
    shuffled = replace(student, vectors=student.vectors[order], tokens=tuple(tokens[i] for i in order.tolist()))
    with caplog.at_level(logging.INFO, logger="semalign.targets.vocabularies"):
        reordered = alignment_map(teacher, shuffled)
    assert "40 shared atoms by strings: 97.6% of the teacher's 41 and 100.0% of the student's 40" in caplog.text
    torch.testing.assert_close(reordered, alignment_map(teacher, student))
    torch.testing.assert_close(reordered, teacher.unit[:40].T @ student.unit)


def test_too_few_shared_tokens_is_an_error():
    teacher = basis(40, 10, 1, tuple(f"t{i}" for i in range(40)))
    student = basis(40, 7, 2, tuple(f"t{i + 31}" for i in range(40)))
    with pytest.raises(ValueError, match=r"too few shared tokens: 9 shared atoms.*at least 10"):
        shared_atoms(teacher, student)


def test_sizes_that_differ_need_token_strings():
    with pytest.raises(ValueError, match="40 and 41 atoms cannot be matched"):
        alignment_map(basis(40, 10, 1), basis(41, 7, 2))


def test_targets_of_some_states_at_a_time_are_those_of_all(monkeypatch):
    teacher, student = basis(30, 5, 0).unit, basis(30, 4, 1).unit
    h = torch.randn(7, 5, generator=torch.Generator().manual_seed(2))
    whole = AtomAlignment(teacher, student, 3, 0.5).targets(h)
    for most in (1, 60, 210):
        monkeypatch.setattr(alignment, "COEFFICIENTS", most)
        torch.testing.assert_close(AtomAlignment(teacher, student, 3, 0.5).targets(h), whole)
    assert AtomAlignment(teacher, student, 3).targets(h[:0]).shape == (0, 4)
