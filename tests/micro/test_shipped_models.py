import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from transformers import AutoConfig, AutoTokenizer

from semalign.micro.recipe import load_recipe
from semalign.models.identity import model_identity
from semalign.models.loading import load_model
from semalign.paths import models_dir, results_dir

NAMES = ("micro-teacher", "micro-student", "micro-sibling", "micro-coder", "micro-wizard")
TASKS = ("micro_mmlu", "micro_gsm8k", "micro_humaneval", "micro_mbpp")


def test_all_files_together_stay_within_25_megabytes():
    files = [path for name in NAMES for path in (models_dir() / name).rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 25e6


@pytest.mark.parametrize("name", NAMES)
def test_weights_are_float16_and_fit_the_tokenizer(name):
    folder = models_dir() / name
    rows = 1025 if name == "micro-wizard" else 1024
    assert len(AutoTokenizer.from_pretrained(folder)) == rows
    assert AutoConfig.from_pretrained(folder).vocab_size == rows
    with safe_open(folder / "model.safetensors", framework="pt") as weights:
        assert {weights.get_tensor(key).dtype.__str__() for key in weights.keys()} == {"torch.float16"}
        assert weights.get_tensor("lm_head.weight").shape[0] == rows


@pytest.mark.parametrize("name", NAMES)
def test_a_machine_with_a_gpu_takes_the_type_that_records_have(name):
    model = load_model(name, dtype="auto")
    assert model.model.dtype == torch.float32
    assert model_identity(model) == model_identity(load_model(name, dtype="float32"))


@pytest.mark.parametrize("name", NAMES)
def test_card_and_record_are_there(name):
    assert "MIT" in (models_dir() / name / "README.md").read_text()
    assert (models_dir() / name / "pretraining.json").exists()


def card_scores(name):
    """Return the lines of the table of scores of a model's card, by task."""
    lines = (models_dir() / name / "README.md").read_text().splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| micro_")]
    return {task: rest for task, *rest in cells}


@pytest.mark.parametrize("name", NAMES)
def test_scores_of_the_card_are_those_of_the_records(name):
    folder = results_dir() / ("micro-sibling" if name == "micro-sibling" else "micro")
    for task in TASKS:
        path = folder / f"none--{name}--{task}.json"
        shown = ["not run", "", ""]
        if path.exists():
            record = json.loads(path.read_text())
            shown = [f"{record['value']:.1f}", "{:.1f} to {:.1f}".format(*record["interval"]), str(record["n"])]
        assert card_scores(name)[task] == shown


def test_sibling_has_the_students_depth_and_width_and_the_teachers_tokenizer():
    folders = {name: models_dir() / f"micro-{name}" for name in ("teacher", "student", "sibling")}
    student, sibling = (AutoConfig.from_pretrained(folders[name]) for name in ("student", "sibling"))
    for config in (student, sibling):
        assert (config.num_hidden_layers, config.hidden_size, config.tie_word_embeddings) == (8, 96, False)
    tokenizers = [(folders[name] / "tokenizer.json").read_bytes() for name in folders]
    assert tokenizers[1] == tokenizers[0] == tokenizers[2]


def test_siblings_head_is_the_teachers_in_fewer_directions():
    folders = (models_dir() / name for name in ("micro-teacher", "micro-sibling"))
    teacher, sibling = (load_file(folder / "model.safetensors") for folder in folders)
    head = teacher["lm_head.weight"].double() * teacher["model.norm.weight"].double()
    narrow = sibling["lm_head.weight"].double()
    basis = torch.linalg.lstsq(head, narrow).solution
    torch.testing.assert_close(head @ basis, narrow, atol=2e-3, rtol=1e-3)
    torch.testing.assert_close(basis.T @ basis, torch.eye(96, dtype=torch.float64), atol=2e-3, rtol=0)


def test_siblings_record_is_of_the_recipe():
    record = json.loads((models_dir() / "micro-sibling" / "pretraining.json").read_text())
    assert record["recipe"] == load_recipe().model("micro-sibling").model_dump(mode="json")


def test_siblings_card_has_its_scores_on_validation_data_all_below_70():
    card = (models_dir() / "micro-sibling" / "README.md").read_text()
    folder = results_dir() / "micro-validation"
    for task in TASKS:
        sibling, teacher = (
            json.loads((folder / name / f"{task}.json").read_text()) for name in ("micro-sibling", "micro-teacher")
        )
        assert f"{sibling['value']:.1f} on micro-" in card
        assert sibling["value"] < 70 and sibling["interval"][1] < teacher["interval"][0]
