"""Models whose layers Accelerate keeps on disk between two uses: everything is as without a device map."""

import pytest
import torch
from helpers.models import make_llama, make_tokenizer

from semalign import LanguageModel, SemanticBasis, attribute_layers, load_model, run_method
from semalign.data.rows import batches
from semalign.models.adapters import put_adapter
from semalign.models.architecture import Architecture
from semalign.models.capture import run_from, states_at, states_entering
from semalign.models.evaluating import evaluating
from semalign.models.finite import NotFiniteError, check_weights
from semalign.models.identity import model_identity
from semalign.models.loading import shared_copy
from semalign.models.offload import hold, spread, whole_state
from semalign.models.saving import save_model
from semalign.models.students import drop_layers

SETTINGS = {"epochs": 1, "batch_size": 6, "teacher_layer": 3, "student_layer": 2}


def device_map(layers):
    """Return a map that keeps every second layer, the head and the embeddings on disk."""
    ends = dict.fromkeys(("model.embed_tokens", "lm_head"), "disk")
    inner = {f"model.layers.{i}": ("disk", "cpu")[i % 2] for i in range(layers)}
    return {**ends, **inner, "model.norm": "cpu", "model.rotary_emb": "cpu"}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    tokenizer, root = make_tokenizer(), tmp_path_factory.mktemp("models")
    for name, width, layers, tied in (("teacher", 16, 5, False), ("student", 12, 4, True)):
        model = make_llama(len(tokenizer), width, layers, seed=layers, tie_word_embeddings=tied).float()
        save_model(LanguageModel(model, tokenizer), root / name)
    return {name: (root / name, layers) for name, layers in (("teacher", 5), ("student", 4))}


def both(folders, name):
    """Return a model in memory, and the same with layers on disk."""
    folder, layers = folders[name]
    return load_model(folder), load_model(folder, device_map=device_map(layers))


@pytest.fixture
def teachers(folders):
    return both(folders, "teacher")


@pytest.fixture
def students(folders):
    return both(folders, "student")


def on_disk(model):
    return {name.split(".")[2] for name, p in model.named_parameters() if p.device.type == "meta"}


def test_only_layers_stay_on_disk_and_a_tied_head_stays_tied(teachers, students):
    assert [on_disk(model.model) for model in teachers] == [set(), {"0", "2", "4"}]
    assert [spread(model.model) for model in teachers] == [False, True]
    student = students[1].model
    assert student.lm_head.weight is student.model.embed_tokens.weight


def test_the_whole_state_and_the_identity_are_those_of_the_model_in_memory(students):
    plain, kept = (model.model for model in students)
    found = whole_state(kept)
    assert found.keys() == plain.state_dict().keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in plain.state_dict().items())
    assert model_identity(students[0]) == model_identity(students[1])


def test_damage_is_found_in_a_layer_on_disk(students):
    check_weights(students[1].model, "student")
    hook = students[1].model.model.layers[2].mlp.up_proj._hf_hook
    hook.weights_map = {"weight": torch.full((24, 12), torch.nan)}
    with pytest.raises(NotFiniteError, match=r"student: model\.layers\.2\.mlp\.up_proj\.weight holds NaN"):
        check_weights(students[1].model, "student")


@pytest.mark.parametrize("interface", ["attention", "mlp", "residual", "layer"])
def test_states_losses_and_scores_are_those_of_the_model_in_memory(teachers, rows, interface):
    found = []
    for model in teachers:
        batch = next(batches(model.encode(rows[:3]), 3))
        architecture, ids, mask = Architecture(model.model), batch["input_ids"], batch["attention_mask"]
        with evaluating(model.model):
            states = states_at(architecture, [2, 3], interface, ids, mask)
            before = states_entering(architecture, 3, ids, mask)
            rest = run_from(architecture, 3, before, mask)
        scores = attribute_layers(model, [batch], interface)
        logits = architecture.logits(rest)
        found.append([states[2], states[3], before, rest, logits, scores, architecture.folded_head()])
    for plain, kept in zip(*found, strict=True):
        assert torch.equal(plain, kept)
    assert on_disk(teachers[1].model) == {"0", "2", "4"}


def test_the_types_on_disk_and_in_memory_may_differ(folders):
    folder, layers = folders["teacher"]
    plain = load_model(folder, dtype="bfloat16").model
    kept = load_model(folder, dtype="bfloat16", device_map=device_map(layers)).model
    ids = torch.arange(5)[None]
    with torch.no_grad():
        assert torch.equal(plain(ids).logits, kept(ids).logits)
        assert kept(ids).logits.dtype == torch.bfloat16


def test_a_copy_shares_what_is_on_disk_and_holding_layers_leaves_the_model(students):
    model = students[1].model
    copy = shared_copy(model)
    theirs, ours = (each.model.layers[0].mlp.up_proj._hf_hook.weights_map for each in (model, copy))
    assert theirs is ours
    hold(copy.model.layers[0])
    assert torch.equal(copy.model.layers[0].mlp.up_proj.weight, students[0].model.model.layers[0].mlp.up_proj.weight)
    assert on_disk(copy) == {"2"} and on_disk(model) == {"0", "2"}


@pytest.mark.parametrize("method", ["semalign", "sft"])
def test_a_transfer_gives_the_same_losses_and_the_same_adapter(teachers, students, rows, unseen, method, tmp_path):
    found = []
    for number, (teacher, student) in enumerate(zip(teachers, students, strict=True)):
        settings = SETTINGS if method == "semalign" else {"epochs": 1, "batch_size": 6}
        out = tmp_path / str(number)
        result = run_method(method, teacher, student, rows, validation=unseen[:2], output_dir=out, **settings)
        assert on_disk(student.model) == ({"0", "2"} if number else set())
        record, weights = result.record, (out / "adapter_model.safetensors").read_bytes()
        found.append([record["losses"], record["value"], record["fingerprints"], record["details"]["types"], weights])
    assert found[0] == found[1]
    # The student goes on from its adapter.
    again = put_adapter(load_model(students[1].model.config.name_or_path), tmp_path / "0")
    assert run_method(method, teachers[1], again, rows, **settings).record["losses"]


def test_an_adapter_on_layers_on_disk_changes_what_it_changes_in_memory(teachers, students, rows, tmp_path):
    run_method("sft", *(pair[0] for pair in (teachers, students)), rows, output_dir=tmp_path, epochs=1, batch_size=6)
    ids = torch.arange(5)[None]
    logits = []
    for student in students:
        adapted = put_adapter(student, tmp_path).model
        logits.append(adapted(ids).logits)
        logits.append(adapted.merge_and_unload()(ids).logits)
    assert torch.equal(logits[0], logits[2]) and torch.equal(logits[1], logits[3])


def test_bases_students_and_scores_are_those_of_the_model_in_memory(teachers):
    bases = [SemanticBasis.from_model(model).vectors for model in teachers]
    assert torch.equal(*bases)
    plain, kept = (drop_layers(model, 2).model.state_dict() for model in teachers)
    assert all(torch.equal(kept[name], tensor) for name, tensor in plain.items())


@pytest.mark.parametrize("method", ["laten", "seeking"])
def test_a_method_that_compares_weights_of_layers_says_so(teachers, students, rows, method):
    with pytest.raises(ValueError, match="a device map spreads student, and this method compares weights"):
        run_method(method, teachers[0], students[1], 2 * rows)
