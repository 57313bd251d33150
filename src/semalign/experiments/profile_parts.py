"""The parts of a profile: its tasks, the entries of its tables, and how models are scored."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from semalign.data.chat import ChatName
from semalign.evaluation.engine_choice import EngineName


class Strict(BaseModel):
    """A part of a profile; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class TaskProfile(Strict):
    """One task of a profile: the sizes and rates of the paper's Tables 4 and 5, for every method."""

    train_size: int | None = Field(None, ge=1, description="training rows; None: all")
    training_data: str | None = Field(None, description="data set to train on; None: as the task file says")
    epochs: int | None = Field(None, ge=1, description="epochs; None: the method's default")
    learning_rate: float | None = Field(None, gt=0, description="learning rate; None: the method's default")
    align_size: int | None = Field(None, ge=1, description="alignment rows of LaTen (Table 4)")
    align_steps: int | None = Field(None, ge=1, description="alignment steps of LaTen (Table 4)")
    align_learning_rate: float | None = Field(None, gt=0, description="learning rate of LaTen; None: its default")


class Variant(BaseModel):
    """An entry of the tables: settings by task, or for ``all`` tasks, that differ from those of its method."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, dict[str, Any]] = Field(init=False)

    method: str | None = Field(None, description="method; None: the one of the entry's name, or semalign")
    tasks: list[str] | None = Field(None, description="the tasks that it is for; None: all")

    def settings_for(self, task: str) -> dict[str, Any]:
        """Return what differs on a task."""
        return {**self.__pydantic_extra__.get("all", {}), **self.__pydantic_extra__.get(task, {})}


class EvaluationProfile(Strict):
    """How models are scored."""

    batch_size: int = Field(64, ge=1, description="items that are answered at once; fewer where memory is short")
    limit: int | None = Field(None, ge=1, description="items of a split; None: all")
    chat: ChatName | None = Field(None, description="chat format, in training too; None: as the task file says")
    engine: EngineName = Field("transformers", description="what answers, where the process names no other")
    vllm: dict[str, Any] = Field({}, description="options of vLLM, such as tensor_parallel_size")
