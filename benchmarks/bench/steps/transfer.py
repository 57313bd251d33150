"""A whole transfer after the choice of layers, against a loop that runs both models whole in every step."""

import tempfile
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, one_hot
from transformers import LlamaConfig, LlamaForCausalLM

from bench.machine import DEVICE
from bench.race import Race, step
from semalign.book.tables.speed_reasons import EPOCHS, transfer_operations
from semalign.data.rows import Example, batches, pad
from semalign.models.architecture import Architecture
from semalign.models.loading import LanguageModel, load_model
from semalign.models.pair import Pair
from semalign.settings import TransferSettings
from semalign.targets.builder import TargetBuilder
from semalign.targets.choice import LayerPair
from semalign.training.learning_rate import LinearDecay
from semalign.training.loop import slices
from semalign.training.lora import add_lora
from semalign.training.objective import Objective
from semalign.training.steering import Steering

PEER = "a loop with hooks: both models whole in every step"
SIZES = [
    {"vocabulary": 1_024, "width": 96, "layers": 8, "rows": 32},
    {"vocabulary": 8_192, "width": 192, "layers": 16, "rows": 32},
    {"vocabulary": 49_152, "width": 576, "layers": 30, "rows": 8},  # the shape of SmolLM2-135M
]
SAYS = (
    "The student has the named size, the teacher a third more width and a quarter more layers; five epochs of two "
    "steps, after the map. The last size is SmolLM2-135M's."
)
WORDS = "one two three four five six seven eight nine ten".split()


def texts(rows: int) -> list[dict[str, str]]:
    """Return rows of different lengths, about two thirds of each the prompt."""
    draw = torch.randint(10, (rows, 30)).tolist()
    words = [[WORDS[i] for i in row[: 12 + 18 * n // rows]] for n, row in enumerate(draw)]
    return [
        {"prompt": " ".join(row[: -len(row) // 3]), "response": " " + " ".join(row[-len(row) // 3 :])} for row in words
    ]


def model(vocabulary: int, width: int, layers: int) -> LanguageModel:
    """Return a random Llama with the tokenizer of the micro family."""
    config = LlamaConfig(
        vocab_size=vocabulary, hidden_size=width, intermediate_size=8 * width // 3 // 8 * 8, num_hidden_layers=layers,
        num_attention_heads=width // 32, num_key_value_heads=width // 32, max_position_embeddings=512,
        tie_word_embeddings=True, bos_token_id=0, eos_token_id=0, pad_token_id=1,
    )  # fmt: skip
    network = LlamaForCausalLM(config).requires_grad_(False).eval()
    return LanguageModel(network, load_model("micro-student").tokenizer)


def plain(pair: Pair, rows: list[dict[str, str]], settings: TransferSettings, alignment: Tensor) -> list[float]:
    """Train as a user would who has the map: whole forward passes of both models, with a hook on each layer."""
    k, layer = settings.student_layer, settings.teacher_layer
    encoded: list[Example] = pair.encode(rows).student
    adapted = add_lora(pair.student.model, [k], settings)
    seen: dict[str, Tensor] = {}
    modules = {
        "student": Architecture(adapted).writer(k, "mlp"),
        "teacher": pair.teacher_architecture.writer(layer, "mlp"),
    }
    hooks = [
        module.register_forward_hook(lambda _, args, output, name=name: seen.update({name: output}))
        for name, module in modules.items()
    ]
    optimizer = torch.optim.AdamW(
        [p for p in adapted.parameters() if p.requires_grad], lr=settings.learning_rate, weight_decay=0
    )
    rate, losses = LinearDecay(settings.epochs * -(-len(rows) // settings.batch_size), settings.warmup_ratio), []
    for epoch in range(settings.epochs):
        torch.manual_seed(settings.seed * 10_000 + epoch)
        for indices in slices(torch.randperm(len(rows)).tolist(), settings.batch_size):
            chosen = [encoded[i] for i in indices]
            ids, mask = (each.to(DEVICE) for each in pad(chosen))
            labels = next(batches(chosen, len(chosen)))["labels"][:, 1:].to(DEVICE)
            at = labels >= 0
            with torch.no_grad():
                pair.teacher.model(input_ids=ids, attention_mask=mask)
                targets = seen["teacher"][:, :-1][at] @ alignment
            z = adapted(input_ids=ids, attention_mask=mask).logits[:, :-1][at]
            states = seen["student"][:, :-1][at]
            y = one_hot(labels[at], z.shape[-1]).to(z.dtype)
            loss = 2 - cosine_similarity(states, targets, dim=-1).mean() - cosine_similarity(z, y, dim=-1).mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.param_groups[0]["lr"] = settings.learning_rate * rate.factor(len(losses) + 1)
            optimizer.step()
            losses.append(loss.item())
    for hook in hooks:
        hook.remove()
    return losses


def ours(builder: TargetBuilder, rows: list[dict[str, str]]) -> list[float]:
    """Train with states that are computed once, in an empty folder."""
    settings = builder.settings
    layers = [LayerPair([(settings.teacher_layer, 1.0)], settings.student_layer)]
    with tempfile.TemporaryDirectory() as folder:
        supervision = builder.supervision(rows, layers, Path(folder))
        adapted = add_lora(builder.pair.student.model, supervision.trained, settings)
        losses = Steering(Objective(Architecture(adapted), supervision, settings)).run()
    return [sum(terms.values()) for terms in losses]


def race(part: float, vocabulary: int, width: int, layers: int, rows: int) -> Race:
    """Return the race with the layer at a part of the depth, 0 the first and 1 the last; the teacher is deeper."""
    teacher, student = model(vocabulary, width * 4 // 3, layers * 5 // 4), model(vocabulary, width, layers)
    pair, given = Pair(teacher, student), texts(rows)
    layer, k = (1 + round(part * (m.model.config.num_hidden_layers - 1)) for m in (teacher, student))
    settings = TransferSettings(
        teacher_layer=layer, student_layer=k, batch_size=rows // 2, epochs=EPOCHS, learning_rate=1e-3
    )
    builder = TargetBuilder(pair, settings)
    tokens = sum(len(example.input_ids) for example in pair.encode(given).student)
    return Race(
        ours=lambda: ours(builder, given),
        peer=lambda: plain(pair, given, settings, builder.alignment),
        difference=lambda found, expected: max(abs(a - b) for a, b in zip(found, expected, strict=True)),
        flops=tokens * transfer_operations({"vocabulary": vocabulary, "width": width, "layers": layers}, part),
    )


@step(title="A transfer, first layer", peer=PEER, reach=1.5, sizes=SIZES, rounds=(1, 1, 1), says=SAYS)
def transfer_first(vocabulary: int, width: int, layers: int, rows: int) -> Race:
    return race(0, vocabulary, width, layers, rows)


@step(title="A transfer, middle layer", peer=PEER, reach=3.0, sizes=SIZES, rounds=(1, 1, 1), says=SAYS)
def transfer_middle(vocabulary: int, width: int, layers: int, rows: int) -> Race:
    return race(0.5, vocabulary, width, layers, rows)


@step(title="A transfer, last layer", peer=PEER, reach=10.0, sizes=SIZES, rounds=(1, 1, 1), says=SAYS)
def transfer_last(vocabulary: int, width: int, layers: int, rows: int) -> Race:
    return race(1, vocabulary, width, layers, rows)
