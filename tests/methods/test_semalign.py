"""SemAlign between tiny models: its layers, and its losses against the formulas for vocabularies that differ."""

from collections import namedtuple
from dataclasses import replace

import pytest
import torch
from helpers.models import exact_basis, make_llama, make_tokenizer
from torch.nn.functional import cosine_similarity, normalize

import semalign
from semalign.data.rows import encode
from semalign.models.architecture import Architecture
from semalign.models.capture import capture
from semalign.models.loading import LanguageModel, check_given
from semalign.models.pair import Pair
from semalign.targets.maps import MAPS, alignment_map

FAST = {"epochs": 2, "batch_size": 4, "rank": 2, "attribution_examples": 3}


def no_work(monkeypatch):
    """Make it an error to compute a state or to attribute."""
    for name in ("choice.attribute_units", "attribution.attribute_units", "store.StateStore.ensure"):
        monkeypatch.setattr(f"semalign.targets.{name}", lambda *_, **__: pytest.fail("long work began"))
    for name in ("basis", "inverted_head"):
        place = f"semalign.bases.{name}.semantic_pseudoinverse"
        monkeypatch.setattr(place, lambda *_: pytest.fail("long work began"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rank": 25}, "rank 25 is above 24, the largest side of a student's matrix"),
        ({"teacher_layer": 6}, r"teacher layer 6 does not exist: layers are 1\.\.5"),
        ({"student_layers": [1, 5]}, r"student layer 5 does not exist: layers are 1\.\.4"),
        ({"layer_map": {5: 1}}, "student layer 5 does not exist"),
    ],
)
def test_settings_that_do_not_go_with_the_pair_are_told_before_any_work(
    teacher, student, rows, settings, message, monkeypatch
):
    no_work(monkeypatch)
    with pytest.raises(ValueError, match=message):
        semalign.transfer(teacher, student, rows, **settings)


def test_rows_of_which_no_token_ends_alike_are_told_before_any_work(teacher, student, rows, monkeypatch):
    no_work(monkeypatch)
    encode = Pair.encode

    def apart(pair, rows):
        found = encode(pair, rows)
        others = [
            replace(each, tokens=("?",) * len(each.tokens), ends=tuple(end + 1000 for end in each.ends))
            for each in found.student
        ]
        return found._replace(student=others)

    monkeypatch.setattr(Pair, "encode", apart)
    with pytest.raises(ValueError, match="no target can be made"):
        semalign.transfer(teacher, student, rows)


def test_interpolation_needs_two_layers_and_says_so_before_any_work(teacher, student, rows, monkeypatch):
    no_work(monkeypatch)
    single = LanguageModel(make_llama(len(teacher.tokenizer), 16, 1, 0), teacher.tokenizer)
    with pytest.raises(ValueError, match="at least two layers: leave out interpolate"):
        semalign.transfer(single, student, rows, interpolate=True)


def test_a_term_that_a_soft_cap_forbids_is_told_before_any_work(teacher, student, rows, monkeypatch):
    no_work(monkeypatch)
    for model in (teacher, student):
        Architecture(model.model)  # proves its layout as it is
    monkeypatch.setattr(Architecture, "softcap", 30.0)
    for schedule in ("one_layer", "frontier"):
        with pytest.raises(ValueError, match="'centred_cosine' needs logits that are linear"):
            semalign.transfer(teacher, student, rows, output_loss="centred_cosine", schedule=schedule)


@pytest.mark.parametrize(
    ("settings", "copies"),
    [
        ({}, 1),
        ({"train_size": 3}, 1),
        ({"schedule": "frontier", "epochs": 3}, 3),
        ({"student_layers": [1, 2]}, 2),
        ({"interface": "heads"}, 1.5),  # of two heads, and one state that enters or is final
    ],
)
def test_a_cache_without_room_for_the_states_is_told_before_any_work(
    teacher, student, rows, monkeypatch, settings, copies
):
    no_work(monkeypatch)
    tokens = sum(len(example) for example in encode(rows[: settings.get("train_size")], student.tokenizer, 64))
    needed, asked = tokens * copies * 2 * (16 + 12) * 8, []
    usage = namedtuple("usage", "free")
    monkeypatch.setattr("semalign.outputs.shutil.disk_usage", lambda _: usage(needed - 1))
    with pytest.raises(OSError, match="its disk has only 0 MB free: make room"):
        semalign.transfer(teacher, student, rows, **settings)
    monkeypatch.setattr("semalign.methods.semalign.check_folder", lambda _, least=0: asked.append(least))
    with pytest.raises(pytest.fail.Exception, match="long work began"):
        semalign.transfer(teacher, student, rows, **settings)
    assert max(asked) == needed


def test_a_cache_that_cannot_be_made_is_told_before_any_work(teacher, student, rows, monkeypatch, tmp_path):
    no_work(monkeypatch)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SEMALIGN_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(NotADirectoryError, match="file is a file"):
        semalign.transfer(teacher, student, rows)


def test_models_and_output_are_checked_before_a_model_is_loaded(student, rows, monkeypatch, tmp_path):
    monkeypatch.setattr("semalign.models.loading.load_network", lambda *_: pytest.fail("a model was loaded"))
    (tmp_path / "file").write_text("")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(FileNotFoundError, match="no model 'no-such-model'"):
        semalign.transfer("no-such-model", tmp_path, rows)
    with pytest.raises(NotADirectoryError, match="file is a file"):
        semalign.transfer(tmp_path, student, rows, output_dir=tmp_path / "file")
    with pytest.raises(ValueError, match=r"LlamaForCausalLM comes without its tokenizer: pass LanguageModel\(model"):
        check_given(student.model)


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


@pytest.fixture
def alien():
    """A teacher wider than the number of tokens that the student knows."""
    tokenizer = make_tokenizer(words=[])
    tokenizer.add_tokens([f"<{i}>" for i in range(50)])
    return LanguageModel(make_llama(len(tokenizer), 64, 5, seed=1), tokenizer)


@pytest.mark.parametrize(
    "settings", [{}, {"map": "random"}, {"map": "least_squares"}, {"map": "ridge", "output_loss": "kl"}]
)
def test_strangers_share_too_few_tokens_and_are_told_so_before_any_work(alien, student, rows, monkeypatch, settings):
    no_work(monkeypatch)
    assert len(student.tokenizer) > 64
    message = "too few shared tokens: 48 shared atoms by bytes: .*; at least 64, the wider hidden size, are needed"
    with pytest.raises(ValueError, match=message):
        semalign.transfer(alien, student, rows, **settings)


@pytest.mark.parametrize("needs", ["bases", "inverted_heads"])
def test_a_map_of_ones_own_on_shared_tokens_is_checked_before_the_teacher_answers(
    alien, student, rows, monkeypatch, needs
):
    monkeypatch.setattr(MAPS, "_items", {name: MAPS[name] for name in MAPS})
    alignment_map("mine", needs=needs, atoms="shared")(lambda *_: pytest.fail("the map is made"))
    alignment_map("other", needs=needs)(lambda *_: pytest.fail("the map is made"))
    monkeypatch.setattr("semalign.methods.runner.rows_to_train", lambda _: pytest.fail("the checks are over"))
    with pytest.raises(ValueError, match="too few shared tokens: 48 shared atoms by bytes"):
        semalign.transfer(alien, student, rows, map="mine", responses="teacher")
    with pytest.raises(pytest.fail.Exception, match="the checks are over"):
        semalign.transfer(alien, student, rows, map="other", responses="teacher")


def test_a_map_without_atoms_joins_strangers(alien, student, rows):
    record = semalign.transfer(alien, student, rows, map="ridge", teacher_layer=2, student_layer=2, **FAST).record
    assert record["details"]["vocabulary"]["shared"] == 48


def test_rows_with_too_few_atoms_are_told_before_any_work(teacher, student, rows, monkeypatch):
    no_work(monkeypatch)
    few = [{"prompt": "a", "response": "b"}]
    for which in ("data", "random"):
        for data, more in ((few, {}), (few + rows, {"train_size": 1})):
            with pytest.raises(ValueError, match="too few shared tokens: 3 shared atoms by bytes"):
                semalign.transfer(teacher, student, data, atoms=which, **more)
    with pytest.raises(pytest.fail.Exception, match="long work began"):
        semalign.transfer(teacher, student, few + rows, atoms="data")


def test_what_the_teacher_will_answer_is_not_counted(teacher, student, monkeypatch):
    """Its answers, not the rows' own, have the atoms."""
    monkeypatch.setattr("semalign.methods.runner.rows_to_train", lambda _: pytest.fail("the checks are over"))
    with pytest.raises(pytest.fail.Exception, match="the checks are over"):
        semalign.transfer(teacher, student, [{"prompt": "a", "response": "b"}], atoms="data", responses="teacher")
