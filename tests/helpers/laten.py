"""Settings with which LaTen runs in seconds, and the neurons that it then takes."""

from semalign.methods.laten.injection import locate
from semalign.methods.laten.neurons import attribute_neurons
from semalign.methods.laten.useful_tokens import useful_texts
from semalign.models.architecture import Architecture

FAST = {"extract_size": 3, "align_size": 6, "batch_size": 4, "neuron_share": 0.2}
LARGE = {"learning_rate": 0.01, "initial_std": 0.1, "penalty_weight": 0.1}


def located_neurons(pair, rows):
    scores = [attribute_neurons(Architecture(m.model), useful_texts(rows[:3], m)) for m in pair]
    return locate(Architecture(pair[0].model), scores[0], Architecture(pair[1].model), scores[1], 0.2)
