"""What a profile names is told without looking for it, and without PyTorch."""

import subprocess
import sys

import yaml

from semalign.experiments.named_inputs import Split, models_of, splits_of
from semalign.experiments.profiles import load_profile

TASKS = {"gsm8k": {}, "humaneval": {"training_data": "me/instructions"}, "mmlu": {}}
SPLITS = {
    Split("openai/gsm8k", "main", "train"),
    Split("openai/gsm8k", "main", "test"),
    Split("openai/openai_humaneval", None, "test"),
    Split("me/instructions", None, "train"),
    *(Split("cais/mmlu", "all", split) for split in ("validation", "dev", "test")),
}


def test_models_and_splits_are_each_named_once(tmp_path):
    path = tmp_path / "tiny.yaml"
    content = {"teacher": "me/teacher", "student": "me/student", "teachers": {"./other": ["gsm8k"]}, "tasks": TASKS}
    path.write_text(yaml.safe_dump(content))
    profile = load_profile(path)
    assert models_of(profile) == ["me/student", "me/teacher", "./other"]
    assert set(splits_of(profile)) == SPLITS and len(splits_of(profile)) == len(SPLITS)
    assert str(Split("openai/gsm8k", "main", "test")) == "openai/gsm8k main test"


def test_pytorch_is_not_loaded():
    code = "import sys, semalign.experiments.named_inputs; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
