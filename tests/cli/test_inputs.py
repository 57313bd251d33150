"""What options name, read from files and tasks: rows, settings, a layer map, a model with its adapter."""

import pytest
import torch
import typer
import yaml
from helpers.commands import runner
from helpers.data import GSM8K, write
from helpers.models import make_llama, make_tokenizer, randomise
from helpers.saved_models import save
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM

from semalign import cli, transfer
from semalign.cli.inputs import (
    adapted,
    check_adapter,
    mapping_of,
    rows_of_data,
    rows_to_train_on,
    settings_of,
    task_of,
    with_adapter,
)
from semalign.models.architecture import Architecture
from semalign.models.loading import LanguageModel
from semalign.training.finetuning import response_nll


def test_a_setting_needs_a_value(folders):
    given = ["transfer", folders / "teacher", folders / "student", "-d", folders / "rows.jsonl", "-o", folders / "run"]
    result = runner.invoke(cli.app, [*map(str, given), "--set", "seed"])
    assert result.exit_code == 2
    assert "--set takes KEY=VALUE, got 'seed'" in " ".join(result.output.replace("│", " ").split())
    assert not (folders / "run").exists()


def test_what_is_no_adapter_is_told_for_what_it_is(tmp_path):
    check_adapter(None)
    with pytest.raises(FileNotFoundError, match=r"holds no PEFT adapter: `semalign transfer --out .*` writes one"):
        check_adapter(tmp_path)
    (tmp_path / "config.json").touch()
    with pytest.raises(FileNotFoundError, match="holds a whole model, no adapter: give it as the model, without"):
        check_adapter(tmp_path)
    (tmp_path / "adapter_config.json").touch()
    check_adapter(tmp_path)


def test_settings_are_read_as_yaml():
    read = settings_of(["seed=1", "name=a=b", "layers=[1, 2]", "fold_norm=true", "folder="])
    assert read == {"seed": 1, "name": "a=b", "layers": [1, 2], "fold_norm": True, "folder": None}
    assert settings_of([]) == {}
    with pytest.raises(typer.BadParameter, match="--vllm takes KEY=VALUE, got 'seed'"):
        settings_of(["a=1", "seed"], "--vllm")


def test_rows_come_from_a_file_a_tasks_training_rows_or_another_split(root, tmp_path):
    (tmp_path / "own.jsonl").write_text('{"prompt": "a", "response": "b"}\n' * 3)
    assert rows_of_data(str(tmp_path / "own.jsonl"), "train", 2, "none") == [{"prompt": "a", "response": "b"}] * 2
    (tmp_path / "own.csv").write_text("prompt,response\na,1\n")
    assert rows_of_data(str(tmp_path / "own.csv"), "train", None, "none") == [{"prompt": "a", "response": "1"}]
    with pytest.raises(ValueError, match=r"own.csv, line 2 must have a 'prompt' and a 'response'"):
        (tmp_path / "own.csv").write_text("prompt;response\na;1\n")
        rows_of_data(str(tmp_path / "own.csv"), "train", None, "none")
    with pytest.raises(IsADirectoryError, match="is a folder: give a file of rows"):
        rows_of_data(str(tmp_path), "train", None, "none")
    with pytest.raises(ValueError, match="a file of rows is named"):
        (tmp_path / "own").write_text("")
        rows_of_data(str(tmp_path / "own"), "train", None, "none")
    for split, answer in (("train", "1"), ("validation", "2")):
        write(root, f"semalign/micro-gsm8k/{split}", [{**GSM8K, "answer": f"#### {answer}"}] * 3)
    assert [row["response"] for row in rows_of_data("micro_gsm8k", "train", 2, "none")] == [" #### 1"] * 2
    assert [row["response"] for row in rows_of_data("micro_gsm8k", "validation", None, "none")] == [" #### 2"] * 3


def test_rows_of_a_task_in_the_models_own_format_have_its_chat_template(root, tmp_path):
    tokenizer = make_tokenizer()
    tokenizer.chat_template = "{% for turn in messages %}{{ turn.role }}: {{ turn.content }}\n{% endfor %}"
    student = save(LanguageModel(make_llama(len(tokenizer), 12, 1, seed=0), tokenizer), tmp_path / "student")
    metadata = {"version": 1, "primary": "exact_match,flexible", "chat": "model"}
    task = tmp_path / "own.yaml"
    task.write_text(yaml.safe_dump({"include": "micro_gsm8k.yaml", "metadata": metadata}))
    for split in ("train", "validation"):
        write(root, f"semalign/micro-gsm8k/{split}", [GSM8K])
        (row,) = rows_of_data(str(task), split, None, student)
        assert row["prompt"].startswith("user: ") and "assistant:" in row["prompt"]


def test_a_mapping_is_read_from_yaml(tmp_path):
    (tmp_path / "map.yaml").write_text("2: 4\n4: 3\n")
    assert mapping_of(tmp_path / "map.yaml") == {2: 4, 4: 3}
    (tmp_path / "map.yaml").write_text("- 2\n")
    with pytest.raises(ValueError, match="must hold keys and values"):
        mapping_of(tmp_path / "map.yaml")
    with pytest.raises(FileNotFoundError, match=r"no file .*none\.yaml"):
        mapping_of(tmp_path / "none.yaml")


@torch.no_grad()
def logits(language_model):
    return language_model.model.float()(torch.tensor([[5, 6, 7]])).logits


def test_a_model_is_evaluated_with_its_adapter_merged(folders, student):
    layers = {"teacher_layer": 2, "student_layer": 2}
    rows, run = str(folders / "rows.jsonl"), folders / "run"
    result = transfer(student, student, rows, output_dir=run, epochs=1, rank=2, learning_rate=0.1, **layers)
    name = str(folders / "student")
    plain, merged, on_it = with_adapter(name, None, "transformers", {}), merge(name, run), adapted(name, run)
    assert torch.equal(logits(plain), logits(student)) and not isinstance(merged.model, PeftModel)
    for each in (merged, on_it):
        torch.testing.assert_close(logits(each), logits(result.model), rtol=1e-4, atol=1e-4)
    assert not torch.allclose(logits(merged), logits(plain), rtol=1e-2)


def test_an_adapter_is_not_rounded_into_weights_of_half_precision(folders, student, monkeypatch):
    rows, run = str(folders / "rows.jsonl"), folders / "run"
    transfer(student, student, rows, output_dir=run, epochs=1, rank=2, teacher_layer=2, student_layer=2)
    monkeypatch.setenv("SEMALIGN_DTYPE", "bfloat16")
    found = merge(str(folders / "student"), run).model
    assert isinstance(found, PeftModel)
    trained = [p for name, p in found.named_parameters() if "lora_" in name]
    assert {p.dtype for p in trained} == {torch.float32}


@pytest.mark.filterwarnings("ignore:Model has `tie_word_embeddings=True`")
@pytest.mark.parametrize("target", ["lm_head", "embed_tokens"])
@pytest.mark.parametrize("tied", [True, False])
def test_an_adapter_on_a_tied_head_is_that_of_plain_peft(tokenizer, tmp_path, target, tied):
    base = make_llama(len(tokenizer), 12, 2, seed=0, tie_word_embeddings=tied)
    folder = save(LanguageModel(base, tokenizer), tmp_path / "base")
    model = get_peft_model(base, LoraConfig(r=2, target_modules=["up_proj", target], task_type="CAUSAL_LM"))
    randomise(model)
    model.float().save_pretrained(tmp_path / "adapter")
    plain = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(folder), tmp_path / "adapter").eval()
    found = merge(folder, tmp_path / "adapter")
    torch.testing.assert_close(logits(found), logits(LanguageModel(plain, tokenizer)), rtol=1e-4, atol=1e-5)
    assert isinstance(found.model, PeftModel) == tied
    rows = [{"prompt": "what is 1+2?", "response": " 3"}]
    losses = [response_nll(Architecture(model), found.encode(rows)) for model in (found.model, plain)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def merge(model, adapter):
    return with_adapter(model, adapter, "transformers", {})


def test_adapters_and_options_that_cannot_be_used_are_refused(folders):
    with pytest.raises(FileNotFoundError, match="holds no PEFT adapter"):
        merge(str(folders / "student"), folders)


def test_held_out_rows_are_those_after_the_rows_to_train_on(tmp_path):
    data = tmp_path / "own.jsonl"
    data.write_text("".join(f'{{"prompt": "{i}", "response": "b"}}\n' for i in range(6)))

    def prompts(*given):
        return [rows and [row["prompt"] for row in rows] for rows in rows_to_train_on(str(data), *given, "none")]

    assert prompts(None, 0) == [list("012345"), None]
    assert prompts(None, 2) == [list("0123"), list("45")]
    assert prompts(3, 2) == [list("012"), list("34")]
    assert prompts(3, 0) == [list("012"), None]
    with pytest.raises(ValueError, match="has 6 rows, fewer than 5 to train on and 2 to hold out: ask for fewer"):
        prompts(5, 2)
    with pytest.raises(ValueError, match="has 6 rows, fewer than 7 to train on: ask for fewer"):
        prompts(7, 0)
    with pytest.raises(ValueError, match="has 6 rows: none are left to train on if 6 are held out"):
        prompts(None, 6)


def test_the_task_of_a_file_is_its_name():
    assert [task_of(data) for data in ("micro_gsm8k", "some/folder/own.jsonl")] == ["micro_gsm8k", "own"]
