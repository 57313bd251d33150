"""The vLLM engine by its interface: a stand-in for lm-eval's class, which needs vLLM, takes what it is given."""

import json
import sys
from types import SimpleNamespace

import pytest
import torch
from helpers.data import GSM8K, write
from helpers.models import make_llama, make_tokenizer
from helpers.tokenizers import tokenizer_of
from helpers.vllm import MODULE, StandIn
from peft import LoraConfig, get_peft_model

from semalign.evaluation.engines import engine_of
from semalign.evaluation.record import score_record
from semalign.evaluation.run import evaluate
from semalign.evaluation.vllm_engine import VllmModel


@pytest.fixture
def folders(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMALIGN_DATA", str(tmp_path))
    write(tmp_path, "openai/gsm8k/main/test", [GSM8K] * 2)
    monkeypatch.setitem(sys.modules, MODULE, SimpleNamespace(VLLM=StandIn))
    StandIn.made.clear()
    StandIn.stopped = 0
    tokenizer = make_tokenizer()
    model = make_llama(len(tokenizer), 12, 2, 0).float()
    model.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    config = LoraConfig(r=12, target_modules=["v_proj"], task_type="CAUSAL_LM")
    get_peft_model(model, config).save_pretrained(tmp_path / "adapter")
    return tmp_path


def test_a_model_and_its_adapter_are_handed_over_as_folders(folders):
    model = VllmModel(str(folders / "model"), folders / "adapter")
    result = evaluate(model, "gsm8k", batch_size=5, record_path=folders / "out" / "gsm8k.json")
    assert StandIn.made == [
        {
            "pretrained": str(folders / "model"),
            "lora_local_path": str(folders / "adapter"),
            "max_lora_rank": 16,
            "batch_size": 5,
            "seed": 0,
            "dtype": "float32",
        }
    ]
    assert (result.value, result.n) == (100, 2)
    record = score_record(model, result)
    assert (record["student"], record["configuration"]["engine"]) == ("model", "vllm")
    assert record["fingerprints"]["student"] == model.identity()["model"]
    assert record["configuration"]["vllm"] == {"adapters": model.identity()["adapters"], "options": {}}
    assert StandIn.stopped == 1


def test_vllm_reads_the_tokens_of_training(folders, monkeypatch):
    monkeypatch.setattr(StandIn, "tokenizer", tokenizer_of("llama-legacy"))
    with VllmModel(str(folders / "model")).engine(1) as engine:
        (with_bos, without), bos = engine.tok_encode(("<s>A: ", "A: ")), StandIn.tokenizer.bos_token_id
        assert with_bos.count(bos) == without.count(bos) == 1
        start, rest = engine._encode_pair("A: ", "hello")
        assert StandIn.tokenizer.decode(start[1:] + rest) == "A: hello"


def test_a_tokenizer_without_an_end_of_sequence_is_refused(folders):
    tokenizer = make_tokenizer()
    tokenizer.eos_token = None
    tokenizer.save_pretrained(folders / "model")
    model = VllmModel(str(folders / "model"))
    with pytest.raises(ValueError, match="the tokenizer of model has no end-of-sequence token"), model.engine(1):
        pass
    assert not StandIn.made


def test_options_go_to_vllm_and_are_part_of_what_answers(folders):
    options = {"tensor_parallel_size": 2, "dtype": "bfloat16"}
    model = VllmModel(str(folders / "model"), options=options)
    evaluate(model, "gsm8k")
    assert options.items() <= StandIn.made[0].items()
    assert model.identity()["options"] == options


def test_lm_evals_class_takes_those_arguments():
    """Read from its source, since importing it needs vLLM."""
    import ast
    from importlib.util import find_spec
    from pathlib import Path

    tree = ast.parse(Path(find_spec(MODULE).origin).read_text())
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    init = next(node for node in classes["VLLM"].body if getattr(node, "name", "") == "__init__")
    names = {argument.arg for argument in init.args.args}
    assert {"pretrained", "lora_local_path", "max_lora_rank", "batch_size", "seed", "dtype"} <= names


def test_another_adapter_is_another_identity(folders):
    plain, adapted = VllmModel(str(folders / "model")), VllmModel(str(folders / "model"), folders / "adapter")
    before = adapted.identity()
    assert plain.identity() == {"model": before["model"], "adapters": None, "options": {}}
    config = json.loads((folders / "adapter/adapter_config.json").read_text())
    (folders / "adapter/adapter_config.json").write_text(json.dumps({**config, "lora_alpha": 99}))
    assert adapted.identity()["adapters"] != before["adapters"]


def change(path, **settings):
    path.write_text(json.dumps({**json.loads(path.read_text()), **settings}))


def test_settings_and_tokenizer_are_part_of_what_answers_and_names_are_not(folders):
    model = folders / "model"
    before = VllmModel(str(model)).identity()
    change(model / "config.json", transformers_version="9.9", architectures=["Other"], _name_or_path="/there")
    assert VllmModel(str(model)).identity() == before
    changes = {
        "config.json": [{"rms_norm_eps": 0.1}, {"dtype": "bfloat16"}],
        "generation_config.json": [{"eos_token_id": 5}],
        "tokenizer_config.json": [{"eos_token": "<pad>"}],
    }
    for name, settings in changes.items():
        for each in settings:
            kept = (model / name).read_text()
            change(model / name, **each)
            assert VllmModel(str(model)).identity()["model"] != before["model"], each
            (model / name).write_text(kept)
    assert VllmModel(str(model)).identity() == before


def test_what_vllm_cannot_do_is_said(tmp_path, monkeypatch, folders):
    (tmp_path / "a.gguf").touch()
    with pytest.raises(ValueError, match="GGUF"):
        VllmModel(str(tmp_path / "a.gguf")).folder  # noqa: B018
    monkeypatch.delitem(sys.modules, MODULE)
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(ModuleNotFoundError, match="pip install"), engine_of(VllmModel(str(folders / "model")), 1):
        pass


def change_config(folder, **values):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_a_rope_that_depends_on_the_length_of_a_text_is_refused(folders):
    change_config(folders / "model", rope_parameters={"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0})
    with pytest.raises(ValueError, match="one rope of type dynamic: use --engine transformers"):
        with engine_of(VllmModel(str(folders / "model")), 1):
            pass
    assert not StandIn.made


def test_a_damaged_model_and_code_of_a_model_never_reach_vllm(folders):
    with pytest.raises(ValueError, match="trust_remote_code: code of a model is never run here"):
        with engine_of(VllmModel(str(folders / "model"), options={"trust_remote_code": True}), 1):
            pass
    path = folders / "model/model.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ValueError, match=r"model\.safetensors is cut off or damaged"):
        with engine_of(VllmModel(str(folders / "model")), 1):
            pass
    assert not StandIn.made


@pytest.mark.parametrize(("dtype", "given"), [(torch.float32, {"dtype": "float32"}), (torch.bfloat16, {})])
def test_on_a_gpu_a_model_in_float32_stays_so_and_others_are_vllm_s_own(tmp_path, monkeypatch, dtype, given):
    make_llama(93, 16, 1, seed=0).to(dtype).save_pretrained(tmp_path)
    make_tokenizer().save_pretrained(tmp_path)
    assert VllmModel(str(tmp_path)).identity()["options"] == {}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert VllmModel(str(tmp_path)).identity()["options"] == given
    auto = VllmModel(str(tmp_path), options={"dtype": "auto"})
    assert auto.identity()["options"] == {"dtype": "auto"}
