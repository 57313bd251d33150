"""Small models on disk, and a watch over those that are in memory."""

import weakref
from pathlib import Path

from helpers.models import make_llama, make_tokenizer, randomise
from semalign.models.loading import LanguageModel
from semalign.models.saving import save_model
from semalign.settings import TrainingSettings
from semalign.training.adapters import stack_adapters
from semalign.training.lora import add_lora


def save(model: LanguageModel, folder: Path, size: str = "1GB") -> str:
    """Save a model in float32 with its tokenizer, in shards of some size; return the folder's path."""
    model.model.float().save_pretrained(folder, max_shard_size=size)
    model.tokenizer.save_pretrained(folder)
    return str(folder)


def save_one_of_each(folder: Path) -> None:
    """Save an adapter, two adapters as one, and a model, the same in each call."""
    tokenizer = make_tokenizer()
    student = make_llama(len(tokenizer), 12, 4, seed=2)
    made = [add_lora(student, [k, 3], TrainingSettings(rank=2)) for k in (1, 2)]
    for model in made:
        randomise(model)
    for name, model in [("adapter", made[0]), ("stacked", stack_adapters(*made)), ("model", student)]:
        save_model(LanguageModel(model.eval(), tokenizer), folder / name)


def first_bytes_changed(path: Path) -> None:
    """Change numbers of a safetensors file in place: size and names stay."""
    content = bytearray(path.read_bytes())
    content[-2] ^= 1
    with open(path, "r+b") as file:
        file.write(content)


class Watch:
    """Counts the models that :func:`semalign.load_model` gives and that are still in memory."""

    def __init__(self, monkeypatch) -> None:
        from semalign.models import source

        self.loads: list[tuple[str, int | None]] = []
        self.together: list[set[str]] = []
        self._alive: list[tuple[str, weakref.ref]] = []
        self._load = source.load_model
        monkeypatch.setattr(source, "load_model", self)

    def __call__(self, name, **options):
        found = self._load(name, **options)
        short = Path(str(name)).name
        self.loads.append((short, options.get("layers")))
        self._alive.append((short, weakref.ref(found.model)))
        self.together.append(set(self.alive()))
        return found

    def alive(self) -> list[str]:
        """Return the names of the models that are in memory."""
        return [name for name, model in self._alive if model() is not None]
