"""What states say at single tokens, against the formulas on whole tensors."""

import torch
from torch.nn.functional import cosine_similarity

from semalign.analysis.inside import LAST, TOP, VIEWS, Inside, shared_atoms_share, used_tokens
from semalign.bases.basis import SemanticBasis
from semalign.data.rows import encode
from semalign.targets.alignment import alignment_map


def looked(teacher, student, text="one two three four five"):
    (example,) = encode([{"prompt": text, "response": " six"}], student.tokenizer, 64)
    return example, Inside(teacher, student, student).look(example)


def states(model, example):
    with torch.no_grad():
        return model.model(torch.tensor([example.input_ids]), output_hidden_states=True).hidden_states


def check(strongest, values):
    """Check the strongest of some values, which are rounded to two decimals."""
    top = values.topk(TOP)
    assert [i for i, _ in strongest] == top.indices.tolist()
    found = torch.tensor([value for _, value in strongest], dtype=values.dtype)
    torch.testing.assert_close(found, top.values.detach(), atol=0.006, rtol=0)


def test_atoms_are_those_of_the_highest_cosine(teacher, student):
    example, found = looked(teacher, student)
    layer = found["layers"][1]
    assert (layer["student"], layer["teacher"]) == (2, 2)
    for view, model in (("teacher", teacher), ("before", student)):
        state = states(model, example)[2][0, found["first"] + 2]
        atoms = SemanticBasis.from_model(model).vectors
        check(layer["views"][view]["atoms"][2], cosine_similarity(state, atoms.double(), dim=-1))
        read = model.model.lm_head(model.model.model.norm(state)).softmax(-1)
        check(layer["views"][view]["read"][2], read)


def test_a_target_is_the_aligned_state_in_the_student_s_space_with_the_length_of_its_own(teacher, student):
    example, found = looked(teacher, student)
    bases = SemanticBasis.from_model(teacher), SemanticBasis.from_model(student)
    at = found["first"] + 2
    own = states(student, example)[2][0, at]
    aligned = states(teacher, example)[2][0, at] @ alignment_map(*bases).double()
    target = aligned / aligned.norm() * own.norm()
    layer = found["layers"][1]
    check(layer["views"]["target"]["atoms"][2], cosine_similarity(target, bases[1].vectors.double(), dim=-1))
    check(layer["views"]["target"]["read"][2], student.model.lm_head(student.model.model.norm(target)).softmax(-1))


def test_an_untrained_student_says_the_same_after_as_before(teacher, student):
    example, found = looked(teacher, student)
    for layer in found["layers"]:
        assert layer["views"]["before"] == layer["views"]["after"]
    assert found["first"] == max(0, len(example) - 1 - LAST)
    assert len(found["layers"]) == student.model.config.num_hidden_layers
    assert {len(layer["views"][view]["read"]) for layer in found["layers"] for view in VIEWS} == {
        len(example) - 1 - found["first"]
    }


def test_the_tokens_that_occur_are_known(teacher, student):
    _, found = looked(teacher, student)
    used = used_tokens([found])
    assert set(found["tokens"]) <= set(used) and used == sorted(set(used))


def test_the_share_of_common_atoms_is_over_all_layers_and_positions():
    def layer(teacher, target):
        views = {"teacher": teacher, "target": target}
        atoms = {view: {"atoms": [[(i, 0.5) for i in ids] for ids in of]} for view, of in views.items()}
        return {"views": atoms}

    look = {"layers": [layer([[1, 2], [3, 4]], [[2, 5], [6, 7]]), layer([[1, 2], [3, 4]], [[2, 1], [4, 9]])]}
    assert shared_atoms_share([look], "teacher", "target") == 4 / 8
    assert shared_atoms_share([look], "teacher", "teacher") == 1.0
