"""Compare a training run with cached states and the logit-free loss to the same run with complete forward passes.

Both runs start from the same adapter and see the same batches. The script prints the largest difference of the losses
and the ratio of the times. ``--vocabulary`` sets the size of the head, which dominates the time of the output loss in
real models.

    python benchmarks/training_speed.py --layers 16 --layer 14 --vocabulary 32000
"""

import argparse
import tempfile
import time
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from semalign.data.rows import pad
from semalign.models.architecture import Architecture
from semalign.models.capture import capture
from semalign.models.loading import LanguageModel
from semalign.models.pair import Pair
from semalign.settings import TransferSettings
from semalign.targets.alignment import alignment_map
from semalign.targets.builder import TargetBuilder
from semalign.targets.choice import choose_layers
from semalign.training.lora import add_lora
from semalign.training.losses import output_cosines
from semalign.training.objective import Objective, Reached
from semalign.training.steering import Steering


def random_model(vocabulary: int, width: int, layers: int, seed: int) -> LanguageModel:
    """Return a random Llama with a word-level vocabulary."""
    torch.manual_seed(seed)
    words = {"<eos>": 0, **{f"w{i}": i for i in range(1, vocabulary)}}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<eos>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    config = LlamaConfig(
        vocab_size=vocabulary, hidden_size=width, intermediate_size=3 * width, num_hidden_layers=layers,
        num_attention_heads=width // 32, max_position_embeddings=512, eos_token_id=0, bos_token_id=None,
    )  # fmt: skip
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<eos>")
    return LanguageModel(LlamaForCausalLM(config).double().eval(), fast)


class WholeForward(Objective):
    """The objective, computed by a forward pass through all layers and from logits."""

    def forward(self, batch):
        input_ids, attention_mask = batch.input_ids
        layers = self.supervision.trained
        with capture(self.student, layers, self.settings.interface) as states:
            logits = self.student.model(input_ids=input_ids, attention_mask=attention_mask, use_cache=False).logits
        output = (1 - output_cosines(logits[batch.labelled], batch.labels)).sum()
        return Reached({k: states[k][batch.matched] for k in layers}, output)


class WithIds:
    """Supervision whose batches also have token ids, for complete forward passes."""

    def __init__(self, supervision):
        self.supervision = supervision

    def __getattr__(self, name):
        return getattr(self.supervision, name)

    def batch(self, indices):
        batch = self.supervision.batch(indices)
        ids = pad([self.examples[i] for i in indices])
        return type("Whole", (), {**batch._asdict(), "input_ids": ids})


def run(student, supervision, settings, whole: bool):
    adapted = Architecture(add_lora(student.model, supervision.trained, settings))
    objective = (
        WholeForward(adapted, WithIds(supervision), settings) if whole else Objective(adapted, supervision, settings)
    )
    steering = Steering(objective)
    start = time.perf_counter()
    losses = steering.run()
    seconds = time.perf_counter() - start
    return losses, seconds, torch.cat([p.detach().flatten() for p in steering.parameters.values()])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vocabulary", type=int, default=8192)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--layers", type=int, default=16, help="student layers")
    parser.add_argument("--layer", type=int, default=12, help="student layer to train")
    parser.add_argument("--examples", type=int, default=32)
    options = parser.parse_args()
    torch.manual_seed(0)
    words = torch.randint(1, options.vocabulary, (options.examples, 64)).tolist()
    rows = [
        {"prompt": " ".join(f"w{i}" for i in row[:40]), "response": " " + " ".join(f"w{i}" for i in row[40:])}
        for row in words
    ]
    teacher = random_model(options.vocabulary, options.width * 5 // 4, options.layers * 5 // 4, seed=1)
    student = random_model(options.vocabulary, options.width, options.layers, seed=2)
    settings = TransferSettings(student_layer=options.layer, batch_size=8, epochs=2)
    pair = Pair(teacher, student)
    pairs = choose_layers(pair, settings, rows).pairs
    k = pairs[0].student
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        exact = alignment_map(*TargetBuilder(pair, settings).inverted).double()
        supervision = TargetBuilder(pair, settings, alignment=exact).supervision(rows, pairs, Path(folder))
        once = time.perf_counter() - start
        fast, fast_seconds, fast_adapter = run(student, supervision, settings, whole=False)
        plain, plain_seconds, plain_adapter = run(student, supervision, settings, whole=True)
    difference = max(abs(a[term] - b[term]) for a, b in zip(fast, plain, strict=True) for term in a)
    print(f"layer {k} of {options.layers}, vocabulary {options.vocabulary}, {len(fast)} steps in float64")
    print(f"  cached prefix, no logits: {fast_seconds:.2f} s, after {once:.2f} s once for states of both models")
    print(f"  whole forward, logits:    {plain_seconds:.2f} s")
    print(f"  largest difference of any loss: {difference:.1e} (a loss is 1 - cosine, with digits down to 1e-16)")
    print(f"  largest difference of any adapter weight at the end: {(fast_adapter - plain_adapter).abs().max():.1e}")
    print(f"  ratio of times: {plain_seconds / fast_seconds:.1f}")


if __name__ == "__main__":
    main()
