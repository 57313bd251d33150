"""What it would take for the atoms of two micro models that are trained apart to correspond.

Each line trains a teacher and a student from scratch, with the seeds and mixtures of the recipe of the micro family
and few tokens, and changes one thing: nothing, the weight decay of the heads, heads tied to the embeddings, narrower
streams, a larger vocabulary, or the text. The other text is what people wrote, the training rows of GSM8K and MBPP; it
is also tried with a larger vocabulary, which it can fill. A record holds the CKA of atoms and of head rows, how the
energy of the map is spread, and in how many directions the two heads agree. With models, by name, their heads are
measured and nothing is trained. A training whose record exists is not repeated.

    python benchmarks/trained_apart.py
    python benchmarks/trained_apart.py --models micro-teacher micro-student
"""

import argparse
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from torch import nn
from torch.nn.functional import normalize

from semalign.analysis.diagnosis.atoms import correspondences, energy, shared_directions
from semalign.data.tasks import documents
from semalign.files import json_fingerprint
from semalign.micro.corpus import KINDS
from semalign.micro.pretrain import STAGE_SEED_STRIDE, new_model
from semalign.micro.recipe import Stage, load_recipe
from semalign.micro.tokenizer import VOCABULARY_SIZE, train_tokenizer
from semalign.micro.training import train
from semalign.models.identity import model_identity
from semalign.models.loading import LanguageModel, load_model
from semalign.models.pair import Pair
from semalign.paths import results_dir
from semalign.results.records import make_record, write_record
from semalign.targets.pair_heads import PairHeads
from semalign.targets.vocabularies import shared_atoms

TOKENS, DECAY = 1_000_000, 0.005
LAST = 20  # steps whose mean loss is recorded
NAMES = ("micro-teacher", "micro-student")


class Change(NamedTuple):
    """One line: the vocabulary, the width as a share of the recipe's, a change of the model, and the kind of text."""

    vocabulary: int = VOCABULARY_SIZE
    width: float = 1.0
    change: Callable[[nn.Module], None] = lambda model: None
    published: bool = False


def decay(model: nn.Module) -> None:
    """Shrink the head by a share of itself before each step, as decoupled weight decay does."""

    def shrink(weight: nn.Parameter) -> None:
        weight.data.mul_(1 - DECAY)

    model.lm_head.weight.register_post_accumulate_grad_hook(shrink)


def tie(model: nn.Module) -> None:
    """Let the head be the embeddings."""
    model.config.tie_word_embeddings = True
    model.lm_head.weight = model.model.embed_tokens.weight


CHANGES = {
    "nothing": Change(),
    "weight decay of the heads": Change(change=decay),
    "tied heads": Change(change=tie),
    "half the width": Change(width=0.5),
    "a larger vocabulary": Change(vocabulary=4 * VOCABULARY_SIZE),  # the text gives half as many
    "published text": Change(published=True),
    "published text and a larger vocabulary": Change(vocabulary=4 * VOCABULARY_SIZE, published=True),
}


@cache
def published() -> list[str]:
    """Return the published training rows, questions with their answers."""
    columns = {"gsm8k": ("question", "answer"), "mbpp": ("text", "code")}
    rows = [(row, names) for task, names in columns.items() for row in documents(task, "train")]
    return ["\n".join(str(row[name]).replace("\r", "") for name in names) for row, names in rows]


def trained(name: str, change: Change) -> tuple[LanguageModel, list[float]]:
    """Return a model of the family that is trained anew with a change, and the last loss of each stage."""
    recipe = load_recipe()
    of = recipe.model(name)
    shape = of.shape.model_copy(update={"hidden": round(change.width * of.shape.hidden)})
    tokenizer = train_tokenizer(change.vocabulary, published() if change.published else None)
    model = new_model(shape, tokenizer, of.seed)
    change.change(model)
    if change.published:
        KINDS["published"] = lambda rng: ("", rng.choice(published()))
    stages = (Stage(tokens=TOKENS, mixture={"published": 1.0}),) if change.published else of.stages
    share, losses = TOKENS / sum(stage.tokens for stage in stages), []
    for number, stage in enumerate(stages):
        fewer = stage.model_copy(update={"tokens": round(share * stage.tokens)})
        found = train(model, tokenizer, recipe.training, fewer, of.seed + STAGE_SEED_STRIDE * number, description=name)
        losses.append(sum(found[-LAST:]) / len(found[-LAST:]))
    model.config.name_or_path = name
    return LanguageModel(model.eval(), tokenizer), losses


def measures(pair: PairHeads) -> dict[str, Any]:
    """Return how far atoms and heads correspond, how the map spreads, and how many directions the heads share."""
    bases = pair.inverted
    teacher, student = (
        normalize(basis.rows(shared).double(), dim=-1)
        for basis, shared in zip(bases, shared_atoms(*bases), strict=True)
    )
    heads = [basis.weight[ids] for basis, ids in zip(bases, pair.shared_ids, strict=True)]
    return {
        "vocabulary": len(teacher),
        "widths": [teacher.shape[1], student.shape[1]],
        "correspondence": {name: found._asdict() for name, found in correspondences(pair).items()},
        "energy": energy(teacher.T @ student)._asdict(),
        "directions": shared_directions(*heads)._asdict(),
    }


def write(path: Path, teacher: LanguageModel, student: LanguageModel, **details: Any) -> None:
    """Measure a pair and write its record."""
    started = time.perf_counter()
    identities = {"teacher": model_identity(teacher), "student": model_identity(student)}
    found = measures(PairHeads(Pair(teacher, student)))
    print(path.stem, found, flush=True)
    write_record(
        path,
        make_record(
            method="trained-apart",
            teacher=teacher.name,
            student=student.name,
            task="none",
            seed=0,
            metric="atom_cka",
            value=found["correspondence"]["atoms"]["aligned"],
            n=found["vocabulary"],
            seconds=details.get("seconds", 0.0) + time.perf_counter() - started,
            fingerprints={**identities, "data": details.get("data")},
            configuration={key: details[key] for key in ("change", "tokens") if key in details},
            details={**found, "losses": details.get("losses")},
        ),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs=2, metavar=("TEACHER", "STUDENT"), help="measure these, train nothing")
    parser.add_argument("--out", type=Path, default=results_dir() / "trained-apart")
    options = parser.parse_args()
    if options.models:
        write(options.out / f"{'--'.join(options.models)}.json", *map(load_model, options.models))
        return
    for name, change in CHANGES.items():
        path = options.out / f"{name.replace(' ', '-')}.json"
        if not path.is_file():
            started = time.perf_counter()
            (teacher, first), (student, second) = (trained(each, change) for each in NAMES)
            spent = time.perf_counter() - started
            losses = {"teacher": first, "student": second}
            data = json_fingerprint(published()) if change.published else None
            write(path, teacher, student, change=name, tokens=TOKENS, losses=losses, seconds=spent, data=data)


if __name__ == "__main__":
    main()
