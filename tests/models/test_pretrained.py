"""What transformers reads: no code of a model is ever run, and nobody is asked."""

import ast
import io
import json
from pathlib import Path

import pytest
import torch
from helpers.models import make_llama

import semalign
from semalign.models.loading import load_model
from semalign.models.pretrained import load_config, load_tokenizer


@pytest.fixture
def own_code(tokenizer, tmp_path):
    """A folder whose model and tokenizer want code of their own, which leaves a mark where it runs."""
    place = tmp_path / "own code"
    make_llama(len(tokenizer), 8, 1, 0).float().save_pretrained(place)
    tokenizer.save_pretrained(place)
    (place / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Config: pass\nclass Own: pass\n")
    classes = {"AutoConfig": "own.Config", "AutoModelForCausalLM": "own.Own", "AutoTokenizer": ["own.Own", "own.Own"]}
    for name, values in {
        "config.json": {"model_type": "own", "auto_map": classes},
        "tokenizer_config.json": {"tokenizer_class": "Own", "auto_map": classes},
    }.items():
        content = json.loads((place / name).read_text())
        (place / name).write_text(json.dumps({**content, **values}))
    return place


def _of_gguf(place):
    from semalign.models.gguf import load_gguf

    (place / "a.gguf").write_bytes(b"GGUF" + bytes(100))
    load_gguf(place / "a.gguf")


def _of_layers(place):
    from semalign.cli.method import _n_layers

    _n_layers(str(place))


def _of_vllm(place):
    from semalign.evaluation.vllm_engine import VllmModel

    return VllmModel(str(place)).tokenizer


def _of_provision(place):
    from semalign.experiments.provision import check_model

    check_model(str(place))


@pytest.mark.parametrize(
    "load", [load_model, load_tokenizer, load_config, _of_gguf, _of_layers, _of_vllm, _of_provision]
)
def test_code_of_a_model_is_never_run_whatever_a_terminal_says(own_code, tmp_path, load, monkeypatch):
    asked = []
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n" * 9))
    monkeypatch.setattr("builtins.input", lambda *text: asked.append(text) or "y")
    with pytest.raises(ValueError, match=r"code of its own, which is never run|a\.gguf is damaged"):
        load(own_code)
    assert not asked and not (tmp_path / "ran").exists()


def test_every_loader_says_that_it_runs_no_code():
    """A call of ``from_pretrained`` on a class that could run code says that it does not."""
    root, calls = Path(semalign.__file__).parent, []
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("Auto"):
                if ast.unparse(node.func).endswith((".from_pretrained", ".from_config")):
                    calls.append((path.name, ast.unparse(node)))
    assert len(calls) >= 5
    assert not [call for call in calls if "trust_remote_code=False" not in call[1] and "from_config" not in call[1]]


def test_a_model_that_needs_code_of_its_own_is_one_line(own_code):
    with pytest.raises(ValueError, match="it needs code of its own, which is never run here") as error:
        load_model(own_code)
    assert "\n" not in str(error.value)


def test_a_configuration_may_ask_for_tuples(tokenizer, tmp_path):
    make_llama(len(tokenizer), 8, 1, 0).float().save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "return_dict": False}))
    assert load_model(tmp_path).model(torch.tensor([[5]])).logits.shape == (1, 1, len(tokenizer))
