"""The recipe of the micro family, typed: sizes, tokens, mixtures, seeds, learning rates."""

from functools import cache
from importlib.resources import files

import yaml
from pydantic import BaseModel, ConfigDict, model_validator

from semalign.micro.corpus import KINDS


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Shape(_Strict):
    """The architecture's sizes."""

    layers: int
    hidden: int
    intermediate: int
    heads: int


class Training(_Strict):
    """Settings of all runs. ``matrix`` means the layers' weight matrices (Muon), ``vector`` all else (AdamW)."""

    row_length: int
    batch_rows: int
    micro_batch_rows: int
    warmup_steps: int
    final_learning_rate: float
    matrix_learning_rate: float
    vector_learning_rate: float
    momentum: float
    weight_decay: float
    checkpoint_steps: int

    @property
    def tokens_per_step(self) -> int:
        """The number of predicted tokens in one optimizer step."""
        return self.batch_rows * (self.row_length - 1)


class Stage(_Strict):
    """A stretch of training with its own learning-rate schedule.

    ``mixture`` is the share of documents of each kind. ``prompt_weight`` is the weight of prompt tokens in the loss, in
    which response tokens have weight 1; ``least_response_weight`` is the minimum weight of a whole response.
    """

    tokens: int
    mixture: dict[str, float]
    prompt_weight: float = 1.0
    least_response_weight: float = 1.0
    learning_rate_scale: float = 1.0

    @model_validator(mode="after")
    def _check(self) -> "Stage":
        if unknown := set(self.mixture) - set(KINDS):
            raise ValueError(f"unknown kinds of documents {sorted(unknown)}; known: {sorted(KINDS)}")
        return self


class Cut(_Strict):
    """What is left of a model that is continued: some layers, and the first directions of its residual stream.

    The layers are those that the layer map gives to a student of so many, and ``rows`` rows of the first stage's corpus
    give the principal directions.
    """

    layers: int
    hidden: int
    rows: int


class ModelRecipe(_Strict):
    """One model: a shape to train from scratch, or the name of the model that it continues, whole or cut.

    ``frozen`` names parameters that training does not change.
    """

    shape: Shape | None = None
    continues: str | None = None
    cut: Cut | None = None
    seed: int
    added_tokens: tuple[str, ...] = ()
    frozen: tuple[str, ...] = ()
    stages: tuple[Stage, ...]

    @model_validator(mode="after")
    def _check(self) -> "ModelRecipe":
        if (self.shape is None) == (self.continues is None):
            raise ValueError("a model needs either a shape or the name of the model it continues")
        if self.cut is not None and self.continues is None:
            raise ValueError("only a model that continues another one can be cut: name it under `continues`")
        return self


class Recipe(_Strict):
    """The whole family."""

    training: Training
    models: dict[str, ModelRecipe]

    def model(self, name: str) -> ModelRecipe:
        """Return one model's recipe; raise ``ValueError`` with the known names if there is none."""
        if name not in self.models:
            raise ValueError(f"unknown model {name!r}; the micro family has {', '.join(self.models)}")
        return self.models[name]


@cache
def load_recipe() -> Recipe:
    """Read the packaged recipe."""
    return Recipe.model_validate(yaml.safe_load(files(__package__).joinpath("recipe.yaml").read_text()))
