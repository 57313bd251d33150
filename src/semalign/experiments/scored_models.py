"""The models of a profile in the form in which its engine scores them."""

from pathlib import Path

from peft import PeftModel

from semalign.evaluation.engine_choice import EngineChoice, chosen
from semalign.evaluation.vllm_engine import VllmModel
from semalign.experiments.inputs import forget_sources, source_once
from semalign.experiments.profiles import Profile
from semalign.methods.runner import TransferResult
from semalign.models.loading import LanguageModel


def engine_of(profile: Profile) -> EngineChoice:
    """Return the engine that scores the cells of a profile; see :mod:`semalign.evaluation.engine_choice`."""
    return chosen(profile.evaluation.engine, profile.evaluation.vllm)


def scored_model(profile: Profile, name: str, result: TransferResult | None = None) -> LanguageModel | VllmModel:
    """Return the model to score: one by name, or the student of that name after a transfer.

    vLLM reads the model from disk and takes most of a GPU's memory, so the models in memory are let go. It puts a LoRA
    on the student by itself; of a method that changes weights it reads the changed model.

    Args:
        profile: the profile.
        name: the student, or the model to score as it is.
        result: of a transfer; for vLLM it must be in a folder.
    """
    engine = engine_of(profile)
    if engine.name == "transformers":
        return source_once(name).load() if result is None else result.model
    forget_sources()
    if result is None:
        return VllmModel(name, options=engine.options)
    if isinstance(result.model.model, PeftModel):
        return VllmModel(name, result.adapter_dir, engine.options)
    # In its own type: what LaTen adds to a weight is less than half precision holds.
    dtype = str(result.model.model.dtype).removeprefix("torch.")
    return VllmModel(str(result.adapter_dir), options={"dtype": dtype, **engine.options})


def check_engine(profile: Profile, names: list[str]) -> None:
    """Make sure that the engine of a profile is installed and can score some models, before any long work.

    Raises:
        ModuleNotFoundError: if it is not installed.
        ValueError: for options that it does not take, or a model that it cannot score.
        OSError: for a model that is not on this machine.
    """
    engine = engine_of(profile)
    for name in names if engine.name == "vllm" else ():
        VllmModel(name, options=engine.options).check()


def needs_folder(profile: Profile, folder: Path | None) -> bool:
    """Return whether a transfer must be put into a folder, of which there is none yet, to be scored."""
    return folder is None and engine_of(profile).name == "vllm"
