"""The pretraining loop: packed rows, Muon for the hidden matrices, bfloat16 if the CPU has it, resumable."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer
from tqdm import tqdm
from transformers import PreTrainedTokenizerBase

from semalign.micro.checkpoint import restore, save
from semalign.micro.corpus import packed_row
from semalign.micro.muon import Muon
from semalign.micro.recipe import Stage, Training


def optimizers(model: nn.Module, training: Training, scale: float) -> list[Optimizer]:
    """Return Muon for the matrices inside the layers and AdamW for all other parameters; frozen ones are left out."""
    named = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    matrices = [p for name, p in named.items() if p.ndim == 2 and "layers" in name]
    others = [p for name, p in named.items() if not (p.ndim == 2 and "layers" in name)]
    return [
        Muon(matrices, lr=scale * training.matrix_learning_rate, momentum=training.momentum,
             weight_decay=training.weight_decay),
        AdamW(others, lr=scale * training.vector_learning_rate, betas=(0.9, 0.95), weight_decay=0.0,
              fused=True),
    ]  # fmt: skip


def learning_rate_factor(step: int, steps: int, warmup: int, final: float) -> float:
    """Return the factor of a linear warm-up from 0 to 1, then a linear decay to ``final`` at the last step."""
    rise = (step + 1) / max(1, warmup)
    fall = 1 - (1 - final) * (step - warmup) / max(1, steps - warmup)
    return min(rise, fall, 1.0)


def has_bfloat16() -> bool:
    """Return whether this CPU computes in bfloat16; emulation would be several times slower than float32."""
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def next_token_loss(
    model: nn.Module, rows: Int64[Tensor, "batch length"], weights: Float[Tensor, "batch length"]
) -> Float[Tensor, ""]:
    """Return the weighted mean cross-entropy of each token given the tokens before it in its row."""
    with torch.autocast("cpu", torch.bfloat16, enabled=has_bfloat16()):
        logits = model(rows[:, :-1], use_cache=False).logits
    losses = nn.functional.cross_entropy(logits.flatten(0, 1).float(), rows[:, 1:].flatten(), reduction="none")
    weights = weights[:, 1:].flatten()
    return (losses * weights).sum() / weights.sum()


def packed_rows(
    training: Training, stage: Stage, seed: int, tokenizer: PreTrainedTokenizerBase, indices: range
) -> tuple[Int64[Tensor, "batch length"], Float[Tensor, "batch length"]]:
    """Return these rows of a stage's corpus, and the weights of their tokens in the loss."""
    settings = (training.row_length, tokenizer, stage.prompt_weight, stage.least_response_weight)
    pairs = [packed_row(stage.mixture, seed, i, *settings) for i in indices]
    rows, weights = (torch.from_numpy(np.stack(arrays)) for arrays in zip(*pairs, strict=True))
    return rows, weights


def train(
    model: nn.Module,
    tokenizer: PreTrainedTokenizerBase,
    training: Training,
    stage: Stage,
    seed: int,
    folder: Path | None = None,
    description: str = "",
) -> list[float]:
    """Train ``model`` in place for one stage and return the losses; with a ``folder``, resume from its state."""
    steps = max(1, stage.tokens // training.tokens_per_step)
    chosen = optimizers(model, training, stage.learning_rate_scale)
    done, losses = restore(folder, model, chosen) if folder else (0, [])
    base = [optimizer.param_groups[0]["lr"] for optimizer in chosen]
    parts = training.batch_rows // training.micro_batch_rows
    model.train()
    progress = tqdm(range(done, steps), initial=done, total=steps, desc=description, mininterval=5)
    for step in progress:
        factor = learning_rate_factor(step, steps, training.warmup_steps, training.final_learning_rate)
        total = 0.0
        for part in range(parts):
            first = step * training.batch_rows + part * training.micro_batch_rows
            indices = range(first, first + training.micro_batch_rows)
            loss = next_token_loss(model, *packed_rows(training, stage, seed, tokenizer, indices)) / parts
            loss.backward()
            total += loss.item()
        for optimizer, rate in zip(chosen, base, strict=True):
            optimizer.param_groups[0]["lr"] = rate * factor
            optimizer.step()
            optimizer.zero_grad()
        losses.append(total)
        progress.set_postfix(loss=f"{total:.3f}", refresh=False)
        if folder and ((step + 1) % training.checkpoint_steps == 0 or step + 1 == steps):
            save(folder, model, chosen, step + 1, losses)
    return losses
