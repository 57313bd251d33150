"""What makes a job fit that does not."""

import pytest

from semalign.experiments.profiles import load_profile
from semalign.planning import MACHINES, Options, plan
from semalign.planning.remedies import fits, remedies
from semalign.planning.setup import AS_GIVEN
from semalign.planning.texts import ProfileTexts

pytestmark = pytest.mark.usefixtures("without_data")

PROFILE = load_profile("llama2", seeds=[0])
TEXTS = ProfileTexts(PROFILE)


def found(entry, gigabytes, options=AS_GIVEN, **machine):
    where = MACHINES["a100"]._replace(memory=gigabytes * 10**9, **machine)
    jobs = plan(PROFILE, [entry], where, options, TEXTS)
    name = f"{entry}--meta-llama_Llama-2-13b-chat-hf--meta-llama_Llama-2-7b-chat-hf--gsm8k--0"
    (job,) = (job for job in jobs if job.name == name)
    return job, remedies(PROFILE, jobs, where, options, TEXTS).get(name), where


def test_a_job_that_fits_needs_nothing():
    job, remedy, where = found("semalign", 80)
    assert fits(job, where) and remedy is None


@pytest.mark.slow
def test_the_first_choice_that_is_enough_is_named():
    sft, remedy, where = found("sft", 26)
    assert not fits(sft, where) and remedy == "evaluation batch_size: 8"


@pytest.mark.slow
def test_models_in_float32_fit_in_bfloat16():
    import torch

    assert found("semalign", 45, Options(dtype=torch.float32))[1] == "dtype bfloat16"


@pytest.mark.slow
def test_where_no_choice_is_enough_more_gpus_are():
    job, remedy, where = found("semalign", 16)
    assert not fits(job, where) and remedy == f"{job.gpus} GPUs of this size with device_map auto"
    assert found("semalign", 16, gpus=job.gpus)[1] is None


@pytest.mark.slow
def test_a_method_that_no_device_map_may_spread_needs_a_larger_gpu():
    job, remedy, where = found("laten", 40, gpus=2)
    assert job.gpus == 1 and not fits(job, where)
    assert remedy.startswith("a GPU of 80 GB, as")
    assert found("laten", 80)[1] is None
