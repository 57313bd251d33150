"""The parts of a profile: what a variant changes, and values that are refused."""

import pytest
from pydantic import ValidationError

from semalign.experiments.profile_parts import EvaluationProfile, TaskProfile, Variant


def test_a_variant_changes_a_task_on_top_of_what_it_changes_for_all():
    variant = Variant(method="sft", tasks=None, all={"epochs": 2, "rank": 4}, gsm8k={"epochs": 3})
    assert variant.settings_for("gsm8k") == {"epochs": 3, "rank": 4}
    assert variant.settings_for("mmlu") == {"epochs": 2, "rank": 4}


@pytest.mark.parametrize(
    ("part", "values"),
    [(TaskProfile, {"train_size": 0}), (TaskProfile, {"size": 1}), (EvaluationProfile, {"limit": 0})],
)
def test_a_size_of_nothing_and_an_unknown_key_are_refused(part, values):
    with pytest.raises(ValidationError, match=next(iter(values))):
        part.model_validate(values)
