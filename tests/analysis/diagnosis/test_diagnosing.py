"""A whole diagnosis of tiny models: of a model with itself everything corresponds, and bad input is refused early."""

from dataclasses import replace

import pandas as pd
import pytest
import torch
from helpers.models import make_llama, make_tokenizer
from transformers import LlamaModel

from semalign.analysis.diagnosis import diagnose
from semalign.analysis.diagnosis.diagnosing import spaced
from semalign.models.architecture import Architecture
from semalign.models.loading import LanguageModel
from semalign.models.pair import Encoded, Pair
from semalign.settings import TransferSettings


def test_a_model_corresponds_to_itself_and_its_own_states_change_nothing(student, rows):
    found = diagnose(
        Pair(student, student),
        rows,
        settings=TransferSettings(interface="layer"),
        maps=("semantic", "permuted", "ridge"),
    )
    assert found.correspondence["atoms"].aligned == pytest.approx(1.0) and found.correspondence["head"].holds
    measures = ["layer", "top_1", "top_5", "kl"]
    own, teacher = (
        found.readings[found.readings["map"] == name][measures].to_numpy() for name in ("student", "teacher")
    )
    assert own == pytest.approx(teacher, abs=1e-6) and own[:, 0].tolist() == [1, 2, 3, 4]
    assert own[-1] == pytest.approx([4, 1, 1, 0], abs=1e-6) and own[0, 3] > 1e-4
    ridge = found.patches[(found.patches["map"] == "ridge") & (found.patches["strength"] == 1)]
    assert ridge["change"].abs().max() < 0.05  # fitted with a small penalty on the very same states
    control = found.patches[found.patches["map"] == "permuted"]
    assert (control["against_control"] == 0).all()


def test_every_map_layer_and_strength_has_a_line(teacher, student, rows):
    found = diagnose(Pair(teacher, student), rows, layers=[1, 4], strengths=(0.25, 1.0))
    assert set(found.patches["map"]) == {
        "zero",
        "semantic",
        "permuted",
        "random",
        "least_squares",
        "permuted_least_squares",
        "procrustes",
        "permuted_procrustes",
        "ridge",
        "permuted_ridge",
    }
    assert len(found.patches) == 10 * 2 * 2 and set(found.patches["teacher_layer"]) == {1, 5}
    targets = found.readings[found.readings["read"] == "target"]
    assert len(targets) == 9 * 5 and len(found.verdict) == 4
    assert (found.readings["top_1"] <= found.readings["top_5"]).all()
    assert set(found.energy) == {"semantic", "permuted", "random", "least_squares", "permuted_least_squares"}


def test_a_layer_that_is_named_twice_is_patched_once(teacher, student, rows):
    found = diagnose(Pair(teacher, student), rows, layers=[4, 1, 4], strengths=(1.0,), maps=("semantic", "permuted"))
    assert found.patches["layer"].drop_duplicates().tolist() == [1, 4] and len(found.patches) == 2 * 3


def test_memory_that_is_too_little_changes_nothing(teacher, student, rows, monkeypatch):
    """Where more than two rows at once do not fit, they are computed two by two."""

    def result():
        found = diagnose(Pair(teacher, student), rows, layers=[2], strengths=(1.0,), maps=("semantic", "permuted"))
        return found.readings, found.patches

    expected, run = result(), LlamaModel.forward

    def small(self, input_ids=None, inputs_embeds=None, **given):
        if len(input_ids if inputs_embeds is None else inputs_embeds) > 2:
            raise torch.OutOfMemoryError("out of memory")
        return run(self, input_ids=input_ids, inputs_embeds=inputs_embeds, **given)

    monkeypatch.setattr(LlamaModel, "forward", small)
    for made, wanted in zip(result(), expected, strict=True):
        pd.testing.assert_frame_equal(made, wanted, rtol=1e-4, atol=1e-6)


@pytest.fixture
def no_pass(monkeypatch):
    """Make it an error to invert a head or to compute a state."""
    for name in ("diagnosing.PairHeads", "diagnosing.read_states"):
        monkeypatch.setattr(f"semalign.analysis.diagnosis.{name}", lambda *_, **__: pytest.fail("work began"))


def test_bad_input_is_refused_in_a_line(teacher, student, rows, no_pass):
    with pytest.raises(ValueError, match="at least four rows"):
        diagnose(Pair(teacher, student), rows[:3])
    with pytest.raises(ValueError, match="layer 9 does not exist"):
        diagnose(Pair(teacher, student), rows, layers=[9])
    with pytest.raises(ValueError, match="semantics"):
        diagnose(Pair(teacher, student), rows, maps=("semantics",))
    for maps, message in ((("semantic", "none"), "map 'none' cannot be diagnosed"), (("ridge",), "needs the map 'sem")):
        with pytest.raises(ValueError, match=message):
            diagnose(Pair(teacher, student), rows, maps=maps)
    with pytest.raises(ValueError, match="does not use top_atoms: leave it out"):
        diagnose(Pair(teacher, student), rows, settings=TransferSettings(top_atoms=3))
    for strengths in ((), (0.5, 1.5), (-0.1,), (float("nan"),)):
        with pytest.raises(ValueError, match="needs at least one strength, and each from 0 to 1"):
            diagnose(Pair(teacher, student), rows, strengths=strengths)


@pytest.mark.parametrize(("half", "what"), [(0, "fit maps"), (1, "are measured")])
def test_a_half_in_which_the_models_read_nothing_alike_is_told_first(teacher, student, rows, monkeypatch, half, what):
    """Such rows gave a singular matrix or a mean of nothing after all passes."""
    pair = Pair(teacher, student)
    of_teacher, of_student = pair.encode(rows)
    chosen = range(6 * half, 6 * half + 6)
    strange = [
        replace(each, tokens=("?",) * len(each), ends=tuple(1000 + end for end in each.ends)) for each in of_student
    ]
    of_student = [strange[i] if i in chosen else each for i, each in enumerate(of_student)]
    monkeypatch.setattr(Pair, "encode", lambda *_: Encoded(of_teacher, of_student))
    with pytest.raises(ValueError, match=f"of the rows that {what}, teacher and student end no token at the same"):
        diagnose(pair, rows)


def test_too_few_shared_tokens_are_told_before_any_pass(student, rows, monkeypatch):
    tokenizer = make_tokenizer(words=[])
    tokenizer.add_tokens([f"<{i}>" for i in range(50)])
    stranger = LanguageModel(make_llama(len(tokenizer), 64, 5, seed=1), tokenizer)
    monkeypatch.setattr("semalign.analysis.diagnosis.diagnosing.read_states", lambda *_: pytest.fail("work began"))
    with pytest.raises(ValueError, match="too few shared tokens"):
        diagnose(Pair(stranger, student), rows)


def test_a_layer_map_says_which_layers_are_compared(teacher, student, rows):
    settings = TransferSettings(layer_map={1: 4})
    found = diagnose(Pair(teacher, student), rows, settings=settings, layers=[1, 2], maps=("semantic", "permuted"))
    assert found.patches.drop_duplicates("layer")[["layer", "teacher_layer"]].to_numpy().tolist() == [[1, 4], [2, 2]]


@pytest.mark.parametrize("side", ["teacher", "student"])
def test_states_that_overflow_are_told(teacher, student, rows, side):
    models = {"teacher": teacher, "student": student}
    layer = Architecture(models[side].model).layer(3)
    layer.register_forward_hook(lambda module, args, output: torch.full_like(output, torch.inf))
    with pytest.raises(ValueError, match=r"the states of .* are not finite, first in layer 3"):
        diagnose(Pair(teacher, student), rows, maps=("semantic", "permuted"))


def test_layers_are_spread_from_the_first_to_the_last():
    assert spaced(3, 4) == [1, 2, 3] and spaced(20, 4) == [1, 7, 14, 20] and spaced(40, 8)[-1] == 40
