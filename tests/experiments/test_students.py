"""The held-out NLL of a student as it is."""

import math

import pytest
import torch

from semalign.experiments.inputs import held_out_rows, source_once
from semalign.experiments.students import student_rows


def test_rows_are_those_that_trainings_are_measured_on_in_nats_a_token(profile):
    found, (rows, _) = student_rows(profile, "micro_gsm8k"), held_out_rows(profile, "micro_gsm8k")
    assert len(found) == len(rows)
    model = source_once(profile.student).load()
    (example,) = model.encode(rows[:1])
    ids = torch.tensor([example.input_ids])
    logs = model.model(ids).logits[0].log_softmax(-1)
    first = example.prompt_length
    nll = -sum(logs[i - 1, ids[0, i]].item() for i in range(first, len(ids[0])))
    assert found[0] == pytest.approx(nll / (len(ids[0]) - first), rel=1e-5) and math.isfinite(found[0])
