"""Train the micro family: a teacher and a student from scratch; models that continue the teacher, one of them cut."""

import json
import platform
import shutil
import time
from pathlib import Path

import torch
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

from semalign.files import atomic_path, json_fingerprint, write_json
from semalign.micro.cutting import narrowed, paired_layers, with_layers
from semalign.micro.recipe import ModelRecipe, Recipe, Shape, load_recipe
from semalign.micro.tokenizer import train_tokenizer
from semalign.micro.training import packed_rows, train
from semalign.paths import cache_dir
from semalign.tensor_files import tensor_fingerprint

CONTEXT = 512
CARD = "README.md"
STAGE_SEED_STRIDE = 1000  # every stage reads different rows of the corpus


def new_model(shape: Shape, tokenizer: PreTrainedTokenizerBase, seed: int) -> LlamaForCausalLM:
    """Return a randomly initialised Llama with untied embeddings and head."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=False,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    config._attn_implementation = "eager"  # faster than the fused kernel at this size
    return LlamaForCausalLM(config)


def continued_model(
    folder: Path, added_tokens: tuple[str, ...], seed: int
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Return the model in ``folder`` in float32, with a vocabulary row for each added token."""
    if not (folder / "config.json").exists():
        raise FileNotFoundError(f"{folder} holds no model to continue; make it first: semalign pretrain {folder.name}")
    torch.manual_seed(seed)
    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    if added_tokens:
        tokenizer.add_tokens(list(added_tokens), special_tokens=True)
        model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    return model, tokenizer


def cut_model(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, recipe: Recipe, model_recipe: ModelRecipe
) -> PreTrainedModel:
    """Return the model that is left by the recipe's cut, or the model itself if there is none.

    Layer k of the copy is the layer that the layer map pairs with it, so that the two models correspond in depth too.
    """
    if (cut := model_recipe.cut) is None:
        return model
    stage = model_recipe.stages[0]
    rows, _ = packed_rows(recipe.training, stage, model_recipe.seed, tokenizer, range(cut.rows))
    narrow = narrowed(model, rows, cut.hidden)
    return with_layers(narrow, paired_layers(model.config.num_hidden_layers, cut.layers))


def pretrain(
    name: str,
    output_dir: Path | str,
    *,
    resume: bool = True,
) -> Path:
    """Train one member of the family and save it as ``output_dir / name``.

    Training states are stored in the cache under a hash of the
    recipe, and an interrupted run resumes from the last state unless ``resume`` is false. If the model continues
    another one, the latter must be in ``output_dir``.
    """
    recipe = load_recipe()
    model_recipe = recipe.model(name)
    folder = Path(output_dir)
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    if model_recipe.shape is not None:
        tokenizer = train_tokenizer()
        model = new_model(model_recipe.shape, tokenizer, model_recipe.seed)
    else:
        parent = folder / str(model_recipe.continues)
        model, tokenizer = continued_model(parent, model_recipe.added_tokens, model_recipe.seed)
        model = cut_model(model, tokenizer, recipe, model_recipe)
    for parameter in model_recipe.frozen:
        model.get_parameter(parameter).requires_grad_(False)
    losses, seconds = _train_stages(name, model, tokenizer, recipe, model_recipe, resume)
    _save(model, tokenizer, folder / name, _record(name, recipe, model_recipe, losses, seconds))
    return folder / name


def _train_stages(
    name: str,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    recipe: Recipe,
    model_recipe: ModelRecipe,
    resume: bool,
) -> tuple[list[list[float]], float]:
    """Train through all stages; return each stage's losses and the seconds spent since the last resumption."""
    start, initial = time.perf_counter(), tensor_fingerprint(model.state_dict())
    losses = []
    for number, stage in enumerate(model_recipe.stages, 1):
        state = _state_folder(name, recipe, model_recipe, number, initial)
        if not resume:
            shutil.rmtree(state, ignore_errors=True)
        seed = model_recipe.seed + STAGE_SEED_STRIDE * (number - 1)
        label = f"{name} {number}/{len(model_recipe.stages)}"
        losses.append(train(model, tokenizer, recipe.training, stage, seed, state, label))
    return losses, time.perf_counter() - start


def pretrain_family(output_dir: Path | str, *, resume: bool = True) -> list[Path]:
    """Train all models of the family, parents before the models that continue them."""
    return [pretrain(name, output_dir, resume=resume) for name in load_recipe().models]


def _state_folder(name: str, recipe: Recipe, model_recipe: ModelRecipe, stage: int, initial: str) -> Path:
    """Return the folder of a stage's state, named by a hash of initial weights, earlier stages and this one."""
    made = model_recipe.model_copy(update={"stages": model_recipe.stages[:stage]})
    key = json_fingerprint([initial, recipe.training.model_dump(), made.model_dump(mode="json")])
    return cache_dir() / "pretrain" / f"{name}-{stage}-{key}"


def _record(
    name: str, recipe: Recipe, model_recipe: ModelRecipe, losses: list[list[float]], seconds: float
) -> dict[str, object]:
    """Return the content of ``pretraining.json``; the losses are those of every twentieth step."""
    return {
        "name": name,
        "recipe": model_recipe.model_dump(mode="json"),
        "training": recipe.training.model_dump(),
        "tokens": sum(stage.tokens for stage in model_recipe.stages),
        "losses": [[round(loss, 4) for loss in stage[::20]] for stage in losses],
        "seconds_since_resumption": round(seconds, 1),
        "torch": torch.__version__,
        "machine": platform.machine(),
    }


def _save(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path, record: dict[str, object]) -> None:
    """Write model, tokenizer and record; keep an existing model card.

    The weights take half the space, in float16, and are loaded in float32, on a GPU too: records are of this type.
    """
    card = (folder / CARD).read_text() if (folder / CARD).exists() else None
    with atomic_path(folder) as partial:
        model.half().save_pretrained(partial)
        config = json.loads((partial / "config.json").read_text())
        write_json(partial / "config.json", {**config, "dtype": "float32"})
        tokenizer.save_pretrained(partial)
        write_json(partial / "pretraining.json", record)
        if card is not None:
            (partial / CARD).write_text(card)
