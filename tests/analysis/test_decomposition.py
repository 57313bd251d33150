"""The frame operator against the sum of projections, and the expectations against what is measured."""

import pandas as pd
import pytest
import torch
from helpers.formulas import sum_of_projections
from helpers.models import head
from torch.nn.functional import cosine_similarity, normalize

from semalign.analysis.decomposition import STATES, resultant_cosine
from semalign.analysis.decomposition_figure import figure_bases
from semalign.bases.basis import SemanticBasis
from semalign.models.architecture import Architecture
from semalign.models.capture import capture

TEXTS = ["what is 1+2?", "a", "the cat, the dog.\n", "0123456789 and so on"]


def test_table_equals_the_literal_formula(teacher):
    bases = {side: SemanticBasis.from_model(teacher, side) for side in ("output", "input")}
    table = resultant_cosine(teacher, TEXTS, bases, batch_size=3).set_index(["interface", "layer", "basis"])
    architecture = Architecture(teacher.model)
    for interface in ("attention", "mlp", "residual", "layer"):
        parts = []
        for text in TEXTS:
            with torch.no_grad(), capture(architecture, [2], interface) as captured:
                teacher.model(torch.tensor([teacher.tokenizer(text)["input_ids"]]))
            parts.append(captured[2][0])
        states = torch.cat(parts)
        for name, basis in bases.items():
            cosines = cosine_similarity(states, sum_of_projections(states, basis), dim=-1)
            row = table.loc[interface, 2, name]
            assert row["tokens"] == len(states)
            assert row["cosine"] == pytest.approx(float(cosines.mean()), abs=1e-12)
            assert row["sd"] == pytest.approx(float(cosines.std(correction=0)), abs=1e-7)
            mean = normalize(states, dim=-1).mean(0)
            assert row["mean_share"] == pytest.approx(float(mean.square().sum()), abs=1e-12)


def test_final_state_is_what_the_head_reads(teacher):
    bases = {"output": SemanticBasis.from_model(teacher)}
    table = resultant_cosine(teacher, TEXTS[:1], bases, interfaces=["final"])
    with torch.no_grad():
        ids = torch.tensor([teacher.tokenizer(TEXTS[0])["input_ids"]])
        state = teacher.model(ids, output_hidden_states=True).hidden_states[-1][0]
    cosines = cosine_similarity(state, sum_of_projections(state, bases["output"]), dim=-1)
    assert table["layer"].tolist() == [5]
    assert table["cosine"].item() == pytest.approx(float(cosines.mean()), abs=1e-12)


@pytest.mark.slow
def test_batches_do_not_change_the_table(teacher):
    bases = figure_bases(teacher)
    one, many = (resultant_cosine(teacher, TEXTS, bases, batch_size=size) for size in (1, 4))
    pd.testing.assert_frame_equal(one, many)
    assert len(one) == (4 * 5 + 1) * len(bases)
    assert set(one["interface"]) == set(STATES)


def test_bad_input_is_refused(teacher):
    bases = {"output": SemanticBasis.from_model(teacher)}
    with pytest.raises(ValueError, match="no texts"):
        resultant_cosine(teacher, [], bases)
    with pytest.raises(ValueError, match="text 2 has 0 tokens"):
        resultant_cosine(teacher, ["a", ""], bases)
    with pytest.raises(ValueError, match="text 1 has"):
        resultant_cosine(teacher, ["a" * 1000], bases)
    with pytest.raises(ValueError, match="layer 6"):
        resultant_cosine(teacher, TEXTS, bases, layers=[6])
    with pytest.raises(ValueError, match="nowhere"):
        resultant_cosine(teacher, TEXTS, bases, interfaces=["nowhere"])
    with pytest.raises(ValueError, match="width 3"):
        resultant_cosine(teacher, TEXTS, {"narrow": SemanticBasis.random(9, 3)})
    with pytest.raises(ValueError, match="made from other weights"):
        resultant_cosine(teacher, TEXTS, {"other": SemanticBasis.from_weight(head(v=100, d=16))})


def test_no_hook_stays(teacher):
    with pytest.raises(ValueError):
        resultant_cosine(teacher, TEXTS, {"narrow": SemanticBasis.random(9, 3)})
    resultant_cosine(teacher, TEXTS, {"output": SemanticBasis.from_model(teacher)})
    assert not any(module._forward_hooks for module in teacher.model.modules())
