"""Verdicts on costs, from records that are made by hand, and by arithmetic on a profile."""

from types import SimpleNamespace

import pandas as pd
import pytest
from helpers.claims import put

from semalign.book.claims.rules import costs, evaluate
from semalign.book.claims.verdicts import NotRunError
from semalign.planning.lengths import Known
from semalign.planning.texts import Texts

SIZE = {"vocabulary": 10, "width": 2}


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMALIGN_ROOT", str(tmp_path))
    return tmp_path


def bench(root, device, seconds, run=1):
    sizes = [{"size": SIZE, "ours": {"median": seconds}, "peer": {"median": 3 * seconds}}]
    put(root, f"bench/{device}/basis--{run}.json", device=device, details={"sizes": sizes})


def test_a_slow_cpu_does_not_decide_what_a_gpu_takes(root):
    given = {"seconds": 10.0, "size": SIZE}
    bench(root, "cpu", 15.0)
    found = evaluate("seconds_at_size", ["bench/*/basis--*.json"], given)
    assert found.verdict == "undecided" and (found.numbers["seconds"], found.numbers["peer"]) == (15.0, 45.0)
    bench(root, "H100", 2.0)
    assert evaluate("seconds_at_size", ["bench/*/basis--*.json"], given).verdict == "reproduced"
    bench(root, "H100", 12.0)
    assert evaluate("seconds_at_size", ["bench/*/basis--*.json"], given).verdict == "not reproduced"
    bench(root, "H100", 9.0, run=2)  # the slower of two runs counts
    assert evaluate("seconds_at_size", ["bench/*/basis--*.json"], given).numbers["seconds"] == 12.0
    with pytest.raises(NotRunError, match="not measured at"):
        evaluate("seconds_at_size", ["bench/*/basis--*.json"], {**given, "size": {"vocabulary": 11, "width": 2}})


@pytest.mark.parametrize(
    ("seconds", "verdict"), [(10.0, "reproduced"), (15.0, "reproduced in part"), (30.0, "not reproduced")]
)
def test_a_cost_is_a_ratio_of_seconds(root, seconds, verdict):
    put(root, "cost/semalign.json", seconds=seconds)
    with pytest.raises(NotRunError, match="no cost record of sft"):
        evaluate("cost_ratio", ["cost/*.json"], {"theirs": "sft", "mark": 1.1, "partly": 2.0})
    put(root, "cost/sft.json", method="sft", seconds=10.0)
    found = evaluate("cost_ratio", ["cost/*.json"], {"theirs": "sft", "mark": 1.1, "partly": 2.0})
    assert found.verdict == verdict and found.numbers["ratio"] == seconds / 10


@pytest.mark.parametrize(("slow", "verdict"), [(2.0, "reproduced"), (11.0, "not reproduced")])
def test_bases_on_a_gpu_are_judged_by_the_slowest_of_all_types(root, slow, verdict):
    def basis(seconds, width, **details):
        return {"phase": "basis", "seconds": seconds, "details": {"rows": 30, "width": width, **details}}

    other = {"phase": "training", "seconds": 99.0, "details": {}}
    phases = {"bfloat16": [basis(1.0, 4, error=2e-6), other], "float16": [basis(slow, 5)]}
    put(root, "gpu-check/llama2--X.json", device="X", details={"phases": phases})
    found = evaluate("bases_on_gpu", ["gpu-check/*.json"], {"seconds": 10.0})
    assert found.verdict == verdict
    assert found.numbers == {"seconds": slow, "error": 2e-6, "device": "X", "rows": 30, "width": 5}


def test_bandwidth_of_the_papers_settings_is_arithmetic():
    """Each of 1,000 answers of MMLU has 3 positions of 4,096 numbers; a layer of Llama-2-7B has 202 million weights."""
    found = evaluate("bandwidth", [], {"profile": "llama2"})
    layer = 4 * 4096**2 + 3 * 4096 * 11008 + 2 * 4096
    assert found.numbers["each"].startswith(f"MMLU {1000 * 3 * 4096 / layer:.2f}, GSM8K ")
    assert found.numbers["logits"] == 32000 / 4096 and found.verdict == "reproduced in part"


LENGTHS = {
    "mmlu": Texts.of([(1, 1)], Known.ASSUMED),
    "gsm8k": Texts.of([(1, 1)], Known.ESTIMATED),
    "humaneval": Texts.of([(1, 1)], Known.ASSUMED),
    "mbpp": Texts.of([(1, 1)]),
}


def test_what_moves_says_of_each_task_how_its_lengths_are_known(monkeypatch):
    lengths = dict(LENGTHS)
    monkeypatch.setattr(costs, "ProfileTexts", lambda profile: SimpleNamespace(training=lengths.__getitem__))
    known = evaluate("bandwidth", [], {"profile": "llama2"}).numbers["known"]
    assert known == "lengths assumed of MMLU and HumanEval, estimated of GSM8K, counted of MBPP"
    lengths.update(dict.fromkeys(lengths, LENGTHS["gsm8k"]))
    assert evaluate("bandwidth", [], {"profile": "llama2"}).numbers["known"] == "lengths estimated"


def test_the_work_of_alignment_is_that_of_the_task_where_it_is_largest(monkeypatch):
    columns = ["data", "bases and map, GFLOP", "targets, GFLOP", "teacher's pass, GFLOP", "training, GFLOP", "lengths"]
    lines = [["MMLU", 40, 10, 25, 25, "counted"], ["GSM8K", 15, 5, 30, 50, "assumed"]]
    table = pd.DataFrame(lines, columns=columns)
    monkeypatch.setattr(costs, "medium_table", lambda profile: {"micro": table}[profile.name])
    given = {"profile": "micro", "mark": 1.1}
    found = evaluate("alignment_work", [], {**given, "partly": 2.0})
    assert (found.verdict, found.numbers["each"]) == ("reproduced in part", "MMLU 50%, GSM8K 20%")
    assert found.numbers["charged"] == "MMLU 4.00, GSM8K 2.00"
    assert found.numbers["known"] == "lengths counted of MMLU, assumed of GSM8K"
    assert evaluate("alignment_work", [], {**given, "partly": 1.5}).verdict == "not reproduced"
    assert evaluate("alignment_work", [], {**given, "mark": 2.0, "partly": 2.0}).verdict == "reproduced"


def test_at_the_papers_sizes_alignment_is_a_small_part_of_a_transfer():
    assert evaluate("alignment_work", [], {"profile": "llama2", "mark": 1.5, "partly": 2.0}).verdict == "reproduced"
