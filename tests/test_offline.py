"""Whole commands on a node: no network, no home directory, nothing to write but a scratch folder."""

import json
import os
import re
import shutil
from pathlib import Path

import pytest
import yaml
from helpers.data import GSM8K, MBPP, MMLU, write
from helpers.offline import semalign_offline, why_not

ROOT = Path(__file__).parents[1]
MODELS = {"me/teacher": "micro-teacher", "me/student": "micro-student"}
SPLITS = {
    "openai/gsm8k/main/train": [{**GSM8K, "question": f"Kim has {n} nuts, eats 1. How many?"} for n in range(4)],
    "openai/gsm8k/main/test": [GSM8K] * 2,
    "google-research-datasets/mbpp/full/train": [MBPP] * 4,
    "google-research-datasets/mbpp/full/validation": [MBPP],
    "google-research-datasets/mbpp/full/test": [MBPP] * 2,
    **{f"cais/mmlu/all/{split}": [{**MMLU, "question": f"{split}?"}] * 2 for split in ("validation", "dev", "test")},
}
PROFILE = {
    "teacher": "me/teacher",
    "student": "me/student",
    "seeds": [0],
    "tasks": {"gsm8k": {"epochs": 1, "train_size": 4}, "mbpp": {"epochs": 1}, "mmlu": {"epochs": 1}},
    "transfer": {"rank": 2, "attribution_examples": 2},
    "evaluation": {"batch_size": 2},
}
WAITS = ("etrying", "Max retries", "timed out")
WRITES = ("not a writable", "Read-only file system", "temporary cache")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    """A scratch folder with the hub's cache, data, and a profile that uses both."""
    scratch = tmp_path_factory.mktemp("scratch")
    if reason := why_not(scratch):
        pytest.skip(reason)
    for name, bundled in MODELS.items():
        folder = scratch / "hf" / "hub" / f"models--{name.replace('/', '--')}"
        (folder / "refs").mkdir(parents=True)
        (folder / "refs" / "main").write_text("abc")
        shutil.copytree(ROOT / "data" / "models" / bundled, folder / "snapshots" / "abc")
    for split, rows in SPLITS.items():
        write(scratch / "cache" / "data", split, rows)
    (scratch / "tiny.yaml").write_text(yaml.safe_dump(PROFILE))
    return scratch


def run(node, *arguments, status=0, **variables):
    """Run a command, and return what it said; nothing in it waited for a network or wrote elsewhere."""
    done = semalign_offline(node, *arguments, **{"SEMALIGN_ROOT": ROOT, **variables})
    said = done.stdout + done.stderr
    assert done.returncode == status, said
    assert not [word for word in (*WAITS, *WRITES) if word in said], said
    return said


def test_what_is_verified_is_all_that_a_comparison_opens(node):
    said = run(node, "fetch", "--profile", node / "tiny.yaml", "--verify")
    assert said.count("present ") == len(MODELS) + len(SPLITS)
    run(node, "compare", "--profile", node / "tiny.yaml", "--out", node / "records")
    records = [json.loads(path.read_text()) for path in (node / "records").glob("*.json")]
    assert len(records) == 9
    assert {record["configuration"]["sandbox"] for record in records if record["task"] == "mbpp"} == {
        os.environ.get("SEMALIGN_SANDBOX", "bubblewrap")
    }


def test_a_transfer_and_its_score(node):
    data = ("--data", "micro_gsm8k", "--examples", 4, "--set", "epochs=1")
    run(node, "transfer", "me/teacher", "me/student", *data, "--out", node / "adapter")
    said = run(node, "evaluate", "me/student", "--adapter", node / "adapter", "-t", "micro_mbpp", "--limit", 2)
    assert "micro_mbpp test" in said


def test_a_notebook(node):
    checkout = node / "checkout"
    for folder in ("notebooks", "src"):
        shutil.copytree(ROOT / folder, checkout / folder)
    shutil.copy(ROOT / "pyproject.toml", checkout)
    (checkout / "data").symlink_to(ROOT / "data")
    run(node, "run", "--only", "01", SEMALIGN_ROOT=checkout)
    assert (checkout / "book" / "notebooks" / "01_semantic_basis.ipynb").is_file()
    said = run(node, "run", "--only", "01", "--profile", "llama2", SEMALIGN_ROOT=checkout, status=1)
    assert re.search(r"raised NotProvidedError: profile llama2: \d+ of its models and data are not here", said)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("fetch", "--profile", "llama2", "--verify"), "model meta-llama/Llama-2-7b-chat-hf: not in the hub's cache"),
        (("evaluate", "me/none", "-t", "micro_gsm8k"), "no model 'me/none' on this machine"),
        (("compare", "--profile", "llama2"), "no model 'meta-llama/Llama-2-7b-chat-hf' on this machine"),
        (("evaluate", "micro-student", "-t", "humaneval"), "no split 'test' of openai/openai_humaneval"),
    ],
)
def test_what_is_not_there_is_told_at_once(node, arguments, message):
    out = () if arguments[0] == "fetch" else ("--out", node / "elsewhere")
    said = run(node, *arguments, *out, status=1)
    assert message in said
    assert arguments[0] == "fetch" or len(said.strip().splitlines()) == 1
