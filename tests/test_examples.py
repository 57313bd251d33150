"""What stands in examples/ does what it says, from outside the package."""

import json
import sys
from pathlib import Path
from subprocess import run

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
ROWS = [{"prompt": f"What is {a} + {b}?", "response": f" {a + b}"} for a in range(4) for b in range(2)]


def semalign(*arguments):
    done = run([sys.executable, "-m", "semalign", *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("folder", "choice", "configuration"),
    [
        ("map", ["--set", "map=orthogonal"], {"map": "orthogonal"}),
        ("layer_loss", ["--set", "layer_loss=huber"], {"layer_loss": "huber"}),
        ("output_term", ["--set", "output_loss=focal"], {"output_loss": "focal"}),
        ("method", ["--method", "last-layers", "--set", "layers=2"], {"layers": 2}),
    ],
)
def test_an_included_folder_is_used_by_name(folder, choice, configuration, tmp_path):
    data = tmp_path / "rows.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    start = ["--include", EXAMPLES / folder, "transfer", "micro-teacher", "micro-student", "--data", data]
    fast = ["--set", "epochs=2", "--set", "batch_size=4", "--set", "learning_rate=0.003"]
    told = semalign(*start, "--out", tmp_path / "out", "--hold-out", 2, *fast, *choice)
    record = json.loads((tmp_path / "out" / "record.json").read_text())
    assert record["configuration"].items() >= configuration.items()
    assert record["method"] == ("last-layers" if folder == "method" else "semalign")
    assert record["losses"][-1] != record["losses"][0]
    assert "held-out response_nll" in told
    assert (tmp_path / "out" / "adapter_model.safetensors").is_file()


@pytest.mark.slow
def test_each_example_tells_the_command_that_uses_it():
    folders = [path for path in EXAMPLES.iterdir() if path.is_dir()]
    assert folders
    for folder in folders:
        texts = [path.read_text() for suffix in ("py", "yaml") for path in folder.glob(f"*.{suffix}")]
        assert any(f"examples/{folder.name}" in text and "semalign " in text for text in texts), folder
