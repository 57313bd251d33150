"""Layer attribution (Section 4.1): how much each layer contributes to the supervised objective."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import islice
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from tqdm import tqdm
from transformers import PreTrainedModel

from semalign.data.rows import IGNORED
from semalign.models import processes
from semalign.models.activation_checkpointing import checkpointed
from semalign.models.architecture import Architecture, check_interface
from semalign.models.batching import FittingParts
from semalign.models.evaluating import evaluating, plain_torch
from semalign.models.finite import check_finite
from semalign.models.loading import LanguageModel, unwrap
from semalign.models.offload import spread
from semalign.models.patching import entering, first, patched_forward
from semalign.models.token_losses import token_losses

BATCH = ("input_ids", "attention_mask", "labels")


@plain_torch(gradients=True)
def attribute_layers(
    model: PreTrainedModel | LanguageModel,
    batches: Iterable[Mapping[str, Tensor]],
    interface: str = "mlp",
    *,
    aggregation: str = "absolute",
) -> Float[Tensor, " layers"]:
    """Return one importance score for each layer: Layer Gradient x Activation of the supervised log-likelihood.

    For layer l with activations h at the interface, ``score_l`` is the mean over examples of
    ``sum over tokens and channels of h * d(log p(response | prompt)) / dh``. ``signed`` takes the sum itself,
    ``absolute`` the sum of magnitudes. Of several processes (``accelerate launch``, ``torchrun``), each scores its
    share of the batches and the scores are added up, so every process returns the same result.

    Args:
        model: a causal language model.
        batches: dicts of ``input_ids``, ``attention_mask`` and ``labels`` (-100 where there is no supervision), each of
            shape (batch, tokens), as :func:`semalign.data.rows.batches` yields them. A label stands at its own
            token's position, as in transformers.
        interface: ``attention``, ``mlp``, ``residual`` or ``layer``; see :func:`semalign.models.capture.capture`.
        aggregation: ``absolute`` or ``signed``.

    Raises:
        ValueError: for an unknown interface or aggregation, if no batch has a supervised token, or if the model
            computes NaN or infinity (:class:`semalign.models.finite.NotFiniteError`).
    """
    if aggregation not in ("absolute", "signed"):
        raise ValueError(f"unknown aggregation {aggregation!r}: choose absolute or signed")
    from captum.attr import LayerGradientXActivation  # which draws too, and so loads matplotlib

    architecture = Architecture(unwrap(model)[0])
    # One score for each layer, then the number of examples, so that one all_reduce adds up both.
    totals = torch.zeros(architecture.n_layers + 1, dtype=torch.float64, device=architecture.device)
    watched = _activation_modules(architecture, check_interface(interface))
    # Of each layer captum keeps activation, gradient and product, and checkpointing the input.
    parts = FittingParts(architecture, kept_states=4 * architecture.n_layers)
    own = islice(batches, processes.number(), None, processes.count())
    with checkpointed(architecture), watched as modules, evaluating(architecture.model, gradients=True):
        attributor = LayerGradientXActivation(_log_likelihood(architecture), modules)
        for batch in tqdm(own, desc="attribution", leave=False, disable=processes.quiet()):
            score = partial(_score_rows, architecture, attributor, batch, aggregation)
            lengths = batch["attention_mask"].sum(1).tolist()
            for found in parts.results(score, range(len(lengths)), lengths):
                totals += found
    processes.add_up([totals])
    if totals[-1] == 0:
        raise ValueError("no supervised token in the batches: give rows with a response")
    return (totals[:-1] / totals[-1]).float()


def _score_rows(
    architecture: Architecture,
    attributor: Any,  # captum's LayerGradientXActivation
    batch: Mapping[str, Tensor],
    aggregation: str,
    rows: Sequence[int],
) -> Float[Tensor, " layers_and_count"]:
    """Return the summed scores of some rows of a batch and the number of those that have a supervised token."""
    read = batch["attention_mask"][list(rows)].any(0)  # columns that are not padding of all these rows
    part = {name: batch[name][list(rows)][:, read].to(architecture.device) for name in BATCH}
    score = partial(_score_part, architecture, attributor, part, aggregation)
    found = score()
    check_finite(found, "the attribution scores", architecture, score)
    return found


def _score_part(
    architecture: Architecture,
    attributor: Any,  # captum's LayerGradientXActivation
    part: Mapping[str, Tensor],
    aggregation: str,
) -> Float[Tensor, " layers_and_count"]:
    input_ids, mask, labels = (part[name] for name in BATCH)
    count = (labels[:, 1:] != IGNORED).any(-1).sum()
    # Gradients start at the embeddings, so that no layer depends on where captum looks, and each can be computed again.
    embeddings = architecture.model.get_input_embeddings()(input_ids).detach().requires_grad_()
    # h * dF/dh for each layer, shape (batch, tokens, D). Examples do not interact, so summing F over the batch
    # still gives each example its own gradient.
    products = attributor.attribute(embeddings, additional_forward_args=(mask, labels))
    # Detached, since the scores of all batches would else keep the states and gradients of theirs.
    products = [product.detach() for product in products]
    reduced = [(p.abs() if aggregation == "absolute" else p).sum(dtype=torch.float64) for p in products]
    return torch.stack([*reduced, count.double()])


def _log_likelihood(architecture: Architecture) -> Any:
    """Return a function that gives each example's log-likelihood of its supervised tokens, shape (batch,)."""

    def forward(embeddings: Tensor, mask: Tensor, labels: Tensor) -> Tensor:
        states = architecture.run(mask, inputs_embeds=embeddings)
        shifted = labels[:, 1:]
        supervised = shifted != IGNORED
        losses = token_losses(architecture, states[:, :-1][supervised], shifted[supervised])
        rows = supervised.nonzero()[:, 0]  # the example that each loss belongs to
        return -losses.new_zeros(len(labels)).index_add(0, rows, losses)

    return forward


@contextmanager
def _activation_modules(architecture: Architecture, interface: str) -> Iterator[list[nn.Module]]:
    """Yield, for each layer, a module whose output is the activation at the interface.

    Probes stand for the modules where the activation is a difference, or where a device map spreads the layers:
    captum takes the activations of one device.
    """
    numbers = range(1, architecture.n_layers + 1)
    on_layers = interface in ("layer", "residual")
    modules = [architecture.layer(k) if on_layers else architecture.writer(k, interface) for k in numbers]
    if interface != "residual" and not spread(architecture.model):
        yield modules
        return
    with ExitStack() as probes:
        yield [probes.enter_context(_probe(each, architecture.device, interface == "residual")) for each in modules]


@contextmanager
def _probe(module: nn.Module, device: torch.device, difference: bool) -> Iterator[nn.Module]:
    """Route a module's output, or what it adds to its input, through an identity module on a device, for captum."""
    probe, forward = nn.Identity(), module.forward

    def through_probe(*args: Any, **kwargs: Any) -> Any:
        output = forward(*args, **kwargs)
        state = first(output)
        before = entering(args, kwargs).to(state.device) if difference else 0
        probed = before + probe((state - before).to(device)).to(state.device)
        return (probed, *output[1:]) if isinstance(output, tuple) else probed

    with patched_forward(module, through_probe):
        yield probe
