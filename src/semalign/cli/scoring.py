"""The options of every verb that scores models: the engine that answers."""

from typing import TYPE_CHECKING, Annotated

import typer

from semalign.cli.inputs import settings_of
from semalign.cli.options import choice, usage
from semalign.evaluation.engine_choice import EngineChoice, choose, chosen

if TYPE_CHECKING:
    from semalign.experiments.profiles import EvaluationProfile

Engine = Annotated[
    str | None,
    typer.Option(
        metavar="transformers|vllm",
        help="what answers; default: variable SEMALIGN_ENGINE, else a profile's, else transformers",
    ),
]
Vllm = Annotated[
    list[str] | None, typer.Option(help="KEY=VALUE, an argument of vLLM, e.g. tensor_parallel_size=2; may be repeated")
]


def engine_of(engine: str | None, vllm: list[str] | None, profile: "EvaluationProfile | None" = None) -> EngineChoice:
    """Return the engine, which holds for this process and those that it starts; without options that of a profile."""
    choose(engine and choice(engine, "transformers", "vllm"), settings_of(vllm or [], "--vllm"))
    with usage("--vllm"):
        return chosen() if profile is None else chosen(profile.engine, profile.vllm)
