"""A plan as text and as JSON."""

import json
from types import SimpleNamespace

import pytest

from semalign.experiments.profiles import load_profile
from semalign.planning import MACHINES, Options
from semalign.planning.jobs import plan
from semalign.planning.lengths import Known
from semalign.planning.report import HEADER, aligned, assumptions, report, size, totals
from semalign.planning.texts import Texts

pytestmark = pytest.mark.usefixtures("without_data")


@pytest.fixture(scope="module")
def found(without_data):
    half = MACHINES["a100"]._replace(memory=60 * 10**9)
    return report(load_profile("llama2"), ["semalign", "seeking"], half, Options())


def test_all_jobs_of_the_papers_settings_fit_one_gpu_of_80_gigabytes():
    assert report(load_profile("llama2", seeds=[0]), ["all"], MACHINES["a100"], Options()).problems() == []


def test_sizes_are_for_readers():
    assert [size(number) for number in (38.24e9, 4e6, 1.2e8)] == ["38.2 GB", "4 MB", "0.1 GB"]


def test_columns_are_aligned():
    rows = [HEADER, ("a", "1", "2.0 GB", "b", "1 MB", "1 MB", "1e9", "0.10", "1")]
    first, second = aligned(rows)
    assert first.index("runs") + len("runs") == second.index(" 1 ") + 2
    assert len(first) == len(second)


def test_seeds_share_a_row_and_the_totals_count_all_jobs(found):
    rows = [row for row in found.table() if row[0] == "semalign Llama-2-13b-chat-hf gsm8k"]
    assert [row[1] for row in rows] == ["3"]
    assert found.table()[-1][:2] == ("total", str(len(found.jobs)))
    assert found.totals.gpu_hours == pytest.approx(sum(job.hours * job.gpus for job in found.jobs))


def test_models_are_counted_once_on_disk(found):
    weights = 2 * (6_738_415_616 + 2 * 13_015_864_320 + 13_015_874_560)
    states = {each: size for job in found.jobs for each, size in job.states.items()}
    assert found.totals.disk == weights + sum(states.values()) + 4 * 10**6 * len(found.jobs)
    assert found.totals.disk - weights < sum(job.disk for job in found.jobs)


def test_states_of_several_seeds_count_once_and_those_of_another_interface_again():
    def disk(interface="mlp", seeds=(0,)):
        variants = {"other": {"all": {"interface": interface}}}
        jobs = plan(load_profile("llama2", variants=variants, seeds=list(seeds)), ["semalign", "other"])
        return totals(jobs).disk, 4 * 10**6 * len(jobs)

    (once, records), (again, more) = disk(), disk(seeds=(0, 1))
    assert again - once == more - records > 0
    # 200 held-out rows beside 1000 or 300 of training; three teachers have the code tasks
    positions = 1200 * (3 + 141) + 3 * (1200 * 251 + 500 * 121)
    assert disk("attention") == (once + positions * 5120 * 2, records)


def test_what_does_not_fit_has_one_line_for_an_entry(found):
    (line,) = (line for line in found.problems() if "seeking" in line)
    assert line.startswith("does not fit: seeking needs up to ") and "what fits: a GPU of " in line


def test_the_text_says_what_it_assumes(found):
    text = found.text()
    for part in ("40% of it reached", "Table 3", "worst case", "mmlu: 1000 rows of"):
        assert part in text


def test_the_text_says_how_the_lengths_of_each_task_are_known():
    def said(training, items):
        return assumed_of({"mmlu": (Texts.of([(7, 2)], *training), Texts.of([(4, 1)] * 2, *items))})

    counted, estimated = (Known.COUNTED, ""), (Known.ESTIMATED, "3.2 characters a token")
    assert said(counted, counted) == "mmlu: 1 rows of 10 tokens, 2 items of 6 (counted)"
    assert said(estimated, estimated).endswith("items of 6 (estimated: 3.2 characters a token)")
    assert said(counted, estimated).endswith("of 6 (counted; items estimated: 3.2 characters a token)")


def assumed_of(texts):
    """Return the line on the lengths of the first of some tasks, which each have texts to train on and to score."""
    training, test = ({task: both[i] for task, both in texts.items()}.__getitem__ for i in range(2))
    known = SimpleNamespace(training=training, test=test)
    profile = SimpleNamespace(tasks=list(texts))
    return assumptions(profile, [], MACHINES["a100"], Options(), known)[-len(texts)]


def test_json_has_every_job_with_its_phases(found):
    content = json.loads(json.dumps(found.as_json()))
    assert [job["name"] for job in content["jobs"]] == [job.name for job in found.jobs]
    job = next(job for job in content["jobs"] if job["name"].startswith("seeking"))
    assert job["gpus"] == 1 and job["remedy"] and job["phases"][-1]["name"] in ("choices", "generation")
    assert content["totals"]["jobs"] == len(found.jobs)
