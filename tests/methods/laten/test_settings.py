"""LaTen's settings: the published ones, and no impossible ones."""

import pytest

from semalign.methods.laten.settings import LatenSettings


def test_defaults_are_those_of_the_paper_and_of_the_published_code():
    assert LatenSettings().model_dump() == {
        "seed": 0, "extract_size": 20, "align_size": 64, "batch_size": 16, "micro_batch_size": None, "steps": None,
        "neuron_share": 0.1, "learning_rate": 3e-5, "weight_decay": 0.05, "penalty_weight": 1000.0,
        "initial_std": 1e-5,
    }  # fmt: skip


@pytest.mark.parametrize(
    "wrong", [{"neuron_share": 0}, {"neuron_share": 1.01}, {"steps": 0}, {"initial_std": 0}, {"penalty_weight": -1}]
)
def test_impossible_values_are_errors(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        LatenSettings(**wrong)
