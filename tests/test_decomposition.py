"""The frame operator against the sum of projections, and the expectations against what is measured."""

import pandas as pd
import pytest
import torch
from torch.nn.functional import cosine_similarity, normalize

from semalign.analysis.decomposition import STATES, resultant_cosine
from semalign.analysis.decomposition_record import figure_bases, read_prompts, write_decomposition
from semalign.bases.basis import SemanticBasis
from semalign.bases.frames import frame_operator, isotropic_cosine, random_basis_cosine
from semalign.models.architecture import Architecture
from semalign.models.capture import capture
from semalign.results.records import read_record

TEXTS = ["what is 1+2?", "a", "the cat, the dog.\n", "0123456789 and so on"]


def _sum_of_projections(states, basis):
    """Add up proj(h, s_i) = (h . s_i) s_i / |s_i|^2 one atom at a time."""
    total = torch.zeros_like(states)
    for vector in basis.vectors.double()[basis.vectors.any(dim=-1)]:
        total += (states @ vector / vector.square().sum())[:, None] * vector
    return total


def test_frame_operator_is_the_sum_of_projections():
    basis = SemanticBasis.random(40, 7)
    states = torch.randn(5, 7, dtype=torch.float64)
    torch.testing.assert_close(states @ frame_operator(basis), _sum_of_projections(states, basis))


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
            cosines = cosine_similarity(states, _sum_of_projections(states, basis), dim=-1)
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
    cosines = cosine_similarity(state, _sum_of_projections(state, bases["output"]), dim=-1)
    assert table["layer"].tolist() == [5]
    assert table["cosine"].item() == pytest.approx(float(cosines.mean()), abs=1e-12)


def test_batches_do_not_change_the_table(teacher):
    bases = figure_bases(teacher)
    one, many = (resultant_cosine(teacher, TEXTS, bases, batch_size=size) for size in (1, 4))
    pd.testing.assert_frame_equal(one, many)
    assert len(one) == (4 * 5 + 1) * len(bases)
    assert set(one["interface"]) == set(STATES)


@pytest.mark.parametrize(("m", "d"), [(64, 96), (4000, 96), (64, 32)])
def test_random_bases_do_as_expected(m, d):
    frame = frame_operator(SemanticBasis.random(m, d, seed=3))
    states = torch.randn(2000, d, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    measured = float(cosine_similarity(states, states @ frame, dim=-1).mean())
    assert measured == pytest.approx(random_basis_cosine(m, d), abs=0.02)
    assert measured == pytest.approx(isotropic_cosine(frame), abs=0.01)


def test_tight_frame_gives_back_the_state():
    basis = SemanticBasis(torch.eye(6), torch.arange(6))
    assert isotropic_cosine(frame_operator(basis)) == pytest.approx(1)
    assert random_basis_cosine(10**9, 6) == pytest.approx(1)
    assert random_basis_cosine(1, 100) == pytest.approx(0.1)


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


def test_no_hook_stays(teacher):
    with pytest.raises(ValueError):
        resultant_cosine(teacher, TEXTS, {"narrow": SemanticBasis.random(9, 3)})
    resultant_cosine(teacher, TEXTS, {"output": SemanticBasis.from_model(teacher)})
    assert not any(module._forward_hooks for module in teacher.model.modules())


def test_prompts_come_from_a_file(tmp_path):
    path = tmp_path / "prompts.jsonl"
    path.write_text('{"prompt": "one"}\n{"prompt": "two"}\n')
    assert read_prompts(path) == ["one", "two"]
    path.write_text('{"prompt": "one"}\n{"text": "two"}\n')
    with pytest.raises(ValueError, match="row 2"):
        read_prompts(path)


def test_humaneval_is_looked_for_under_the_data_roots(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMALIGN_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="openai_humaneval"):
        read_prompts("humaneval")
    (tmp_path / "openai/openai_humaneval").mkdir(parents=True)
    (tmp_path / "openai/openai_humaneval/test.jsonl").write_text('{"prompt": "def f():"}\n')
    assert read_prompts("humaneval") == ["def f():"]


def test_table_and_record_are_written(teacher, tmp_path):
    (tmp_path / "prompts.jsonl").write_text('{"prompt": "one"}\n{"prompt": "two, three"}\n')
    write_decomposition(teacher, tmp_path / "prompts.jsonl", tmp_path / "fig2-tiny.v1")
    table = pd.read_csv(tmp_path / "fig2-tiny.v1.csv")
    record = read_record(tmp_path / "fig2-tiny.v1.json")
    measured = table.query("basis == 'output' and interface == 'layer'")["cosine"].mean()
    assert record["value"] == pytest.approx(measured, abs=1e-5)
    assert record["n"] == table["tokens"].max()
    assert record["details"]["bases"]["random-64"]["m"] == 64
