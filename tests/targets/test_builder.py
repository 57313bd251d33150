"""What a student is trained on, from the states of whole forward passes."""

import pytest
import torch
from helpers.models import close, exact_basis, make_llama, make_tokenizer

from semalign.data.rows import encode
from semalign.models.loading import LanguageModel
from semalign.models.pair import Pair
from semalign.settings import TransferSettings
from semalign.targets.builder import TargetBuilder
from semalign.targets.choice import LayerPair
from semalign.targets.maps.procrustes import procrustes_map
from semalign.targets.maps.ridge import ridge_map
from semalign.targets.moments import Moments


@pytest.mark.parametrize("kind", ["semantic", "permuted"])
def test_targets_of_few_atoms_are_the_sum_of_the_largest_components(teacher, student, rows, tmp_path, kind):
    settings = TransferSettings(map=kind, interface="layer", top_atoms=3, seed=5)
    (layer,) = (
        TargetBuilder(Pair(teacher, student), settings).supervision(rows, [LayerPair([(3, 1.0)], 2)], tmp_path).layers
    )
    assert layer.alignment is None and layer.comparable
    found, states = layer.of(range(len(rows)), torch.device("cpu")), states_of(teacher, rows, 3)
    s_t, s_s = exact_basis(teacher).unit, exact_basis(student).unit
    if kind == "permuted":
        s_s = s_s[torch.randperm(len(s_s), generator=torch.Generator().manual_seed(5))]
    for h, target in zip(states.to(s_t), found, strict=True):
        cosines = s_t @ h / h.norm()
        chosen = sorted(range(len(s_t)), key=lambda i: -abs(float(cosines[i])))[:3]
        literal = sum(cosines[i] * s_s[i] for i in chosen)
        assert torch.cosine_similarity(literal, target.to(literal), dim=0) > 0.999


@pytest.mark.parametrize("kind", ["procrustes", "ridge", "learned"])
def test_fitted_maps_are_those_of_the_states_at_the_paired_layers(teacher, student, rows, tmp_path, kind):
    settings = TransferSettings(map=kind, interface="layer")
    builder, pairs = TargetBuilder(Pair(teacher, student), settings), [LayerPair([(3, 1.0)], 2)]
    (layer,) = builder.supervision(rows, pairs, tmp_path).layers
    x, y = states_of(teacher, rows, 3), states_of(student, rows, 2)
    if kind == "learned":
        assert layer.alignment is None
        close(layer.projection, ridge_map(Moments(y.T @ y, y.T @ x), settings.ridge_penalty))
    else:
        fit = Moments(x.T @ x, x.T @ y)
        expected = procrustes_map(fit) if kind == "procrustes" else ridge_map(fit, settings.ridge_penalty)
        close(layer.alignment, expected)
        assert layer.projection is None
    (held_out,) = builder.supervision(rows[:2], pairs, tmp_path, fitted=[layer]).layers
    assert (held_out.alignment, held_out.projection) == (layer.alignment, layer.projection)
    assert len(held_out.teacher_states) == 2


def test_without_a_map_targets_are_the_teachers_own_states(teacher, student, rows, tmp_path):
    settings = TransferSettings(map="none", layer_loss="relation", interface="layer")
    builder = TargetBuilder(Pair(teacher, student), settings)
    (layer,) = builder.supervision(rows, [LayerPair([(3, 1.0)], 2)], tmp_path).layers
    assert not layer.comparable
    close(layer.of(range(len(rows)), torch.device("cpu")), states_of(teacher, rows, 3))


@torch.no_grad()
def states_of(model, rows, k):
    """Outputs of layer k at the positions that predict the response, from whole forward passes."""
    found = []
    for example in encode(rows, model.tokenizer, 64):
        output = model.model(torch.tensor([example.input_ids]), output_hidden_states=True)
        found.append(output.hidden_states[k][0, list(example.positions())])
    return torch.cat(found)


def test_several_layers_have_each_their_targets_and_one_entrance(teacher, student, rows, tmp_path):
    builder = TargetBuilder(Pair(teacher, student), TransferSettings(interface="layer", map="ridge"))
    pairs = [LayerPair([(2, 1.0)], 2), LayerPair([(3, 0.25), (4, 0.75)], 4)]
    supervision = builder.supervision(rows, pairs, tmp_path)
    assert supervision.trained == [2, 4]
    mixed = 0.25 * states_of(teacher, rows, 3) + 0.75 * states_of(teacher, rows, 4)
    batch, everything = supervision.batch(range(len(rows))), range(len(rows))
    close(batch.targets[4], mixed @ supervision.layers[1].alignment)
    close(supervision.layers[0].of(everything, torch.device("cpu")), batch.targets[2])
    with torch.no_grad():  # what enters layer 2 is what layer 1 gave
        first = encode(rows, student.tokenizer, 64)[0]
        whole = student.model(torch.tensor([first.input_ids]), output_hidden_states=True)
    close(batch.states[0, : len(first)], whole.hidden_states[1][0])


def test_the_mean_direction_share_by_hand(teacher, student, rows, tmp_path):
    builder = TargetBuilder(Pair(teacher, student), TransferSettings(interface="layer"))
    (layer,) = builder.supervision(rows, [LayerPair([(3, 1.0)], 2)], tmp_path).layers
    targets = states_of(teacher, rows, 3) @ layer.alignment.double()
    unit = targets / targets.norm(dim=-1, keepdim=True)
    assert layer.mean_direction_share() == pytest.approx(unit.mean(0).square().sum().item(), rel=1e-5)


def test_faults_of_the_models_are_told_when_the_builder_is_made(teacher, student):
    alien = make_tokenizer(words=[])
    alien.add_tokens([f"<{i}>" for i in range(50)])
    stranger = LanguageModel(make_llama(len(alien), 64, 5, seed=1), alien)
    with pytest.raises(ValueError, match="too few shared tokens"):
        TargetBuilder(Pair(stranger, student), TransferSettings())
    with pytest.raises(ValueError, match="too few shared tokens"):
        settings = TransferSettings(map="none", layer_loss="relation", output_loss="kl")
        TargetBuilder(Pair(stranger, student), settings, teacher_logits=True)
    with pytest.raises(ValueError, match=r"student layer 9 does not exist: layers are 1\.\.4"):
        TargetBuilder(Pair(teacher, student), TransferSettings(student_layers=[2, 9]))
    with pytest.raises(ValueError, match=r"teacher layer 6 does not exist: layers are 1\.\.5"):
        TargetBuilder(Pair(teacher, student), TransferSettings(layer_map={2: 6}))
