"""Attribution of all layers in one pass against one captum call for each layer."""

import torch
from captum.attr import LayerGradientXActivation
from torch import Tensor

from bench.race import Race, step
from bench.small import llama, texts
from semalign.data.rows import IGNORED, batches
from semalign.models.architecture import Architecture
from semalign.targets.attribution import attribute_layers

VOCABULARY = 2_000


def layer_by_layer(model: Architecture, given: list[dict[str, Tensor]]) -> Tensor:
    """Return the absolute scores of all layers' MLP outputs, by a call of captum for each layer and batch."""

    def objective(embeddings: Tensor, mask: Tensor, labels: Tensor) -> Tensor:
        states = model.run(mask, inputs_embeds=embeddings)[:, :-1]
        supervised = labels[:, 1:] != IGNORED
        rows, wanted = supervised.nonzero()[:, 0], labels[:, 1:][supervised]
        found = model.logits(states[supervised]).log_softmax(-1)[torch.arange(len(wanted)), wanted]
        return found.new_zeros(len(labels)).index_add(0, rows, found)

    scores = torch.zeros(model.n_layers, dtype=torch.float64)
    for batch in given:
        more = batch["attention_mask"], batch["labels"]
        for k in range(1, model.n_layers + 1):
            embeddings = model.model.get_input_embeddings()(batch["input_ids"]).requires_grad_()
            captum = LayerGradientXActivation(objective, model.writer(k, "mlp"))
            found = captum.attribute(embeddings, additional_forward_args=more)
            scores[k - 1] += found.abs().sum(dtype=torch.float64).item()
    return (scores / sum(len(batch["input_ids"]) for batch in given)).float()


@step(
    title="Attribution of all layers",
    peer="a captum call for each layer",
    reach=4.0,
    sizes=[{"layers": 8, "rows": 8, "width": 256}, {"layers": 8, "rows": 32, "width": 256}],
    rounds=(1, 1),
    growth={"rows": 1.0},
    says="Eight layers, so that L/2 is 4.",
)
def attribution(layers: int, rows: int, width: int) -> Race:
    """Absolute Layer Gradient x Activation at the MLP outputs, batches of 8 texts whose lengths spread as MBPP's do."""
    model = llama(VOCABULARY, width, layers=layers)
    given = list(batches(texts(rows, VOCABULARY), 8))
    architecture = Architecture(model)
    weights = sum(p.numel() for p in architecture.layers.parameters())
    tokens = int(sum(batch["attention_mask"].sum() for batch in given))
    return Race(
        ours=lambda: attribute_layers(model, given),
        peer=lambda: layer_by_layer(architecture, given),
        difference=lambda ours, peer: float(((ours.cpu() - peer) / peer).abs().max()),
        flops=4 * weights * tokens,
    )
