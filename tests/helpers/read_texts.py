"""Texts, and the states of a model that reads them one by one."""

import torch

from semalign.models.architecture import Architecture
from semalign.models.capture import capture

TEXTS = ["what is 1+2?", "a", "the cat, the dog.\n", "0123456789 and so on", "banana bread", "x = y*z\n", "ab", "one."]


def states_of_texts(model, interface="layer"):
    """Return, for each layer, the states of each text, without padding or batches."""
    architecture = Architecture(model.model)
    layers = range(1, architecture.n_layers + 1)
    found = {k: [] for k in layers}
    for text in TEXTS:
        with torch.no_grad(), capture(architecture, layers, interface) as states:
            model.model(torch.tensor([model.tokenizer(text)["input_ids"]]))
        for k in layers:
            found[k].append(states[k][0])
    return list(found.values())
