"""Which neurons are paired, and what is added to them."""

import torch
from helpers.laten import located_neurons

from semalign.methods.laten.hypernetwork import Hypernetwork
from semalign.methods.laten.injection import MATRICES, injected, locate, positions, teacher_vectors
from semalign.methods.laten.neurons import Scores
from semalign.methods.laten.settings import LatenSettings
from semalign.models.architecture import Architecture


def test_the_changes_are_what_the_hypernetwork_gives_for_the_teachers_neurons(pair, rows):
    """The i-th ranked teacher neuron's weights, through the maps by hand, added to the i-th ranked student neuron."""
    teacher, student = pair
    given, taken = located_neurons(pair, rows)
    network = Hypernetwork(16, 12, LatenSettings(initial_std=0.3)).double()
    large, small = Architecture(teacher.model), Architecture(student.model)
    with torch.no_grad():
        new = injected(small, taken, network(teacher_vectors(large, given)))
        for name, (path, kind, axis) in MATRICES.items():
            first, second = network.maps[name][0].weight, network.maps[name][2].weight
            for i, (k_teacher, k_student) in enumerate(zip(given[kind].layers, taken[kind].layers, strict=True)):
                W_T = teacher.model.model.layers[k_teacher - 1].get_submodule(path).weight
                W_S = student.model.model.layers[k_student - 1].get_submodule(path).weight
                change = new[f"model.layers.{k_student - 1}.{path}.weight"] - W_S
                for theirs, mine in zip(given[kind].neurons[i], taken[kind].neurons[i], strict=True):
                    source = positions(large, name, theirs[None])[0]
                    vector = (W_T if axis == 0 else W_T.T)[source].mean(0)
                    delta = second @ (first @ vector).clamp(min=0)
                    for place in positions(small, name, mine[None])[0]:
                        torch.testing.assert_close((change if axis == 0 else change.T)[place], delta)


def test_layers_of_the_largest_scores_are_paired_in_order(teacher, student):
    large, small = Architecture(teacher.model), Architecture(student.model)
    neurons = torch.tensor([[3.0, 1.0, 2.0, 3.0] + [0.0] * 28] * 5)

    def scores(ffn, attention, width):
        return {
            "ffn": Scores(torch.tensor(ffn), neurons),
            "attention": Scores(torch.tensor(attention), neurons[:, :width]),
        }

    big, tiny = scores([5.0, 1, 4, 3, 2], [1.0, 2, 3, 4, 5], 16), scores([1.0, 2, 3, 4], [4.0, 3, 2, 1], 12)
    given, taken = locate(large, big, small, tiny, 0.1)
    assert given["ffn"].layers == (1, 3, 4, 5)
    assert given["attention"].layers == (2, 3, 4, 5)
    assert taken["ffn"].layers == taken["attention"].layers == (1, 2, 3, 4)
    assert given["ffn"].neurons.tolist() == [[0, 3]] * 4  # 10% of the student's 24, equal scores in order
    assert taken["attention"].neurons.tolist() == [[0]] * 4
    assert given["ffn"].neurons.shape == taken["ffn"].neurons.shape
    # a teacher with fewer layers gives all of them to the student's best
    given, taken = locate(small, tiny, large, big, 0.1)
    assert (given["ffn"].layers, taken["ffn"].layers) == ((1, 2, 3, 4), (1, 3, 4, 5))
