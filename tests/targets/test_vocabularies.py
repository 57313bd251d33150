"""Which atoms match, by hand."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.tokenizers import KINDS, tokenizer_of
from transformers import AutoTokenizer

from semalign.bases.basis import SemanticBasis
from semalign.bases.token_keys import TokenNames
from semalign.targets.vocabularies import match_atoms, shared_atoms


def names(tokens, keys=None):
    return TokenNames(tuple(range(len(tokens))), tuple(tokens), None if keys is None else tuple(keys))


def pairs(found):
    return list(zip(found.teacher.tolist(), found.student.tolist(), strict=True))


def test_tokens_of_two_families_match_by_what_they_stand_for():
    metaspace = names(
        ["<bos>", "▁the", "é", "<0xE9>", "\n", "<0x0A>", "x"],
        ["role:bos", "text:20746865", "text:c3a9", "text:e9", "text:0a", "byte:0a", "text:78"],
    )
    byte_level = names(
        ["<|start|>", "é", "Ċ", "Ã©", "Ġthe", "the"],
        ["role:bos", "text:e9", "text:0a", "text:c3a9", "text:20746865", "text:746865"],
    )
    found = match_atoms(metaspace, byte_level)
    assert pairs(found) == [(0, 0), (1, 4), (2, 3), (3, 1), (4, 2)]
    assert str(found) == "5 shared atoms by bytes: 71.4% of the teacher's 7 and 83.3% of the student's 6"


def test_strings_are_compared_where_one_side_does_not_tell():
    found = match_atoms(names(["a", "b"], ["text:61", "text:62"]), names(["b", "c", "a"]))
    assert pairs(found) == [(0, 2), (1, 0)] and found.by == "strings"


def test_one_key_at_several_ids_matches_one_to_one():
    found = match_atoms(names("xaxbx", "xaxbx"), names("xbcx", "xbcx"))
    assert pairs(found) == [(0, 0), (2, 3), (3, 1)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_tokenizer_shares_all_atoms_with_itself(kind):
    same = TokenNames.of(tokenizer_of(kind), len(tokenizer_of(kind)))
    assert pairs(match_atoms(same, same)) == [(i, i) for i in range(len(same.tokens))]


def test_bases_without_names_match_by_position():
    a, b = SemanticBasis.random(4, 2, 0), SemanticBasis.random(5, 2, 1)
    assert match_atoms(a, a).by == "position" and pairs(match_atoms(a, a)) == [(i, i) for i in range(4)]
    with pytest.raises(ValueError, match="4 and 5 atoms cannot be matched without token strings"):
        match_atoms(a, b)


def test_a_basis_matches_by_its_keys():
    teacher = replace(SemanticBasis.random(3, 2, 0), tokens=("▁a", "b", "c"), keys=("text:2061", "text:62", "text:63"))
    student = replace(SemanticBasis.random(3, 2, 0), tokens=("Ġa", "c", "▁a"), keys=("text:2061", "text:63", "text:00"))
    assert [each.tolist() for each in shared_atoms(teacher, student)] == [[0, 2], [0, 1]]
    old = replace(teacher, keys=None)  # as an earlier version saved it
    assert [each.tolist() for each in shared_atoms(old, student)] == [[0, 2], [2, 1]]


REAL = Path(os.environ.get("SEMALIGN_TOKENIZERS", "/nowhere"))


@pytest.mark.slow
def test_gemma_and_smollm2_share_46145_tokens_of_text():
    folders = REAL / "gemma3" / "package" / "models", REAL / "smollm2"
    if not all((folder / "tokenizer.json").is_file() for folder in folders):
        pytest.skip("needs the tokenizers of Gemma 3 and SmolLM2 below $SEMALIGN_TOKENIZERS")
    gemma, smollm = (
        TokenNames.of(AutoTokenizer.from_pretrained(folder), size)
        for folder, size in zip(folders, (262_144, 49_152), strict=True)
    )
    shared = [gemma.keys[i] for i in match_atoms(gemma, smollm).teacher.tolist()]
    assert sum(key.startswith("text:") for key in shared) == 46_145
    assert sum(key.startswith("text:20") for key in shared) == 30_836  # with a leading space
    assert sorted(key for key in shared if not key.startswith("text:")) == ["role:bos", "role:eos", "role:unk"]
    assert len(set(gemma.tokens) & set(smollm.tokens)) == 14_837
