import pytest
from safetensors import safe_open
from transformers import AutoConfig, AutoTokenizer

from semalign.paths import models_dir

NAMES = ("micro-teacher", "micro-student", "micro-coder", "micro-wizard")


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
def test_card_and_record_are_there(name):
    assert "MIT" in (models_dir() / name / "README.md").read_text()
    assert (models_dir() / name / "pretraining.json").exists()
