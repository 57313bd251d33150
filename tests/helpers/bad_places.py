"""A folder with models, data and settings, some sound and most of them wrong in one way each."""

import json
from pathlib import Path
from typing import NamedTuple

import yaml

from helpers.models import make_llama, make_tokenizer
from semalign.models.loading import LanguageModel

ROW = {"prompt": "what is 1+1?", "response": " 1+1=2."}
SECRET = "/proc/semalign"  # nobody can write there, not even root

DATA = {
    "empty.jsonl": b"",
    "blank.jsonl": b"\n\n\n",
    "text.jsonl": b"this is not JSON\n",
    "cut.jsonl": b'{"prompt": "a", "response": "b"}\n{"prompt": "a", "resp',
    "numbers.jsonl": b'{"prompt": 1, "response": 2}\n',
    "nulls.jsonl": b'{"prompt": "a", "response": null}\n',
    "list.jsonl": b"[1, 2]\n",
    "scalar.jsonl": b"42\n",
    "no_response.jsonl": b'{"prompt": "a"}\n',
    "empty_response.jsonl": b'{"prompt": "a", "response": ""}\n',
    "latin.jsonl": '{"prompt": "caf\xe9", "response": "b"}\n'.encode("latin-1"),
    "utf16.jsonl": '{"prompt": "a", "response": "b"}\n'.encode("utf-16")[:-1],
    "nul.jsonl": b'{"prompt": "a\x00", "response": "b"}\n',
    "binary.jsonl": bytes(range(256)) * 8,
    "deep.jsonl": b"[" * 100_000 + b"\n",
    "long.jsonl": json.dumps({"prompt": "a" * 4000, "response": "b"}).encode(),
    "surrogate.jsonl": b'{"prompt": "a\\ud800", "response": "b"}\n',
    "fake.parquet": b"this is no parquet file",
    "fake.jsonl.gz": b"this is no gzip file",
    "fake.csv": b'"prompt,response\n"a,b\n',
    "fake.gguf": b"this is no GGUF file",
    "empty.gguf": b"",
    "some.unknown": b"prompt\tresponse\n",
}

MAPS = {
    "list.map.yaml": "- 1\n- 2\n",
    "text.map.yaml": "some words\n",
    "tab.map.yaml": "1:\t2\n\t3: 4\n",
    "outside.map.yaml": "99: 1\n",
    "zero.map.yaml": "0: 1\n",
    "words.map.yaml": "one: two\n",
    "twice.map.yaml": "1: 2\n1: 3\n",
    "empty.map.yaml": "",
}

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(12)
)

INCLUDED = {
    "syntax": "def broken(:\n",
    "raises": "raise KeyError('nothing')\n",
    "exits": "import sys\nsys.exit(3)\n",
    "imports": "import no_such_module\n",
    "registers": "from semalign.targets.maps import alignment_map\n\n\n@alignment_map('ridge', needs='nothing')\n"
    "def mine(teacher, student, settings):\n    return None\n",
    "method": "from semalign.methods.registry import METHODS\nMETHODS.add('semalign', None)\n",
}

PROFILE = {
    "teacher": "TEACHER",
    "student": "STUDENT",
    "tasks": {"micro_mmlu": {"train_size": 4, "epochs": 1}},
    "seeds": [0],
}
PROFILES = {
    "list": [1, 2],
    "unknown_key": {**PROFILE, "sedes": [1]},
    "no_teacher": {key: value for key, value in PROFILE.items() if key != "teacher"},
    "null_teacher": {**PROFILE, "teacher": None},
    "missing_teacher": {**PROFILE, "teacher": "no-such-model"},
    "no_tasks": {**PROFILE, "tasks": {}},
    "null_tasks": {**PROFILE, "tasks": None},
    "list_tasks": {**PROFILE, "tasks": ["micro_mmlu"]},
    "unknown_task": {**PROFILE, "tasks": {"micro_mmul": {}}},
    "null_task": {**PROFILE, "tasks": {"micro_mmlu": None}},
    "late_task": {**PROFILE, "tasks": {"micro_mmlu": {"train_size": 4}, "no_such_task": {}}},
    "epochs_text": {**PROFILE, "tasks": {"micro_mmlu": {"epochs": "many"}}},
    "epochs_zero": {**PROFILE, "tasks": {"micro_mmlu": {"epochs": 0}}},
    "rate_nan": {**PROFILE, "tasks": {"micro_mmlu": {"learning_rate": float("nan")}}},
    "no_seeds": {**PROFILE, "seeds": []},
    "seed_negative": {**PROFILE, "seeds": [-1]},
    "seed_huge": {**PROFILE, "seeds": [2**70]},
    "seeds_twice": {**PROFILE, "seeds": [0, 0]},
    "transfer_unknown": {**PROFILE, "transfer": {"learning_rte": 1}},
    "transfer_list": {**PROFILE, "transfer": [1]},
    "variant_method": {**PROFILE, "variants": {"mine": {"method": "ridgee"}}},
    "variant_fixed": {**PROFILE, "variants": {"mine": {"method": "ridge", "all": {"map": "semantic"}}}},
    "variant_task": {**PROFILE, "variants": {"mine": {"micro_mmlx": {"epochs": 1}}}},
    "variant_null": {**PROFILE, "variants": {"mine": None}},
    "variant_text": {**PROFILE, "variants": {"mine": {"all": "rank"}}},
    "further_unknown": {**PROFILE, "further_entries": ["semaling"]},
    "teachers_task": {**PROFILE, "teachers": {"TEACHER": ["micro_gsm9k"]}},
    "evaluation_limit": {**PROFILE, "evaluation": {"limit": 0}},
    "evaluation_chat": {**PROFILE, "evaluation": {"chat": "chatml"}},
    "grid_empty": {**PROFILE, "selection": {"semalign": {"rank": []}}},
    "grid_nothing": {**PROFILE, "selection": {}},
    "grid_unequal": {**PROFILE, "selection": {"semalign": {"rank": [1, 2]}, "sft": {"rank": [1]}}},
    "grid_setting": {**PROFILE, "selection": {"semalign": {"rnk": [1, 2]}}},
    "grid_value": {**PROFILE, "selection": {"semalign": {"rank": [0, 2]}}},
    "grid_method": {**PROFILE, "selection": {"semaling": {"rnk": [1, 2]}}},
    "grid_scalar": {**PROFILE, "selection": {"semalign": {"rank": 2}}},
    "sound": PROFILE,
}
RAW_PROFILES = {
    "tab": "teacher:\tx\n\tstudent: y\n",
    "twice": "seeds: [0]\nseeds: [1]\n",
    "bomb": BOMB,
    "cycle": "teacher: &a [*a]\n",
    "open": "teacher: [1, 2\n",
    "tag": "teacher: !!python/object/apply:os.system ['true']\n",
    "empty": "",
    "deep": "[" * 5000,
    "date": "teacher: 2026-13-45\n",
}

TASK = {
    "dataset_path": "json",
    "dataset_kwargs": {"data_files": {"test": "test.jsonl"}},
    "test_split": "test",
    "output_type": "multiple_choice",
    "doc_to_text": "{{question}}",
    "doc_to_choice": ["A", "B"],
    "doc_to_target": "answer",
    "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
    "metadata": {"version": 1.0, "primary": "acc,none"},
}
TASKS = {
    "list": [1],
    "unknown_key": {**TASK, "doc_to_txt": "x"},
    "no_metadata": {key: value for key, value in TASK.items() if key != "metadata"},
    "no_file": {**TASK, "dataset_kwargs": {"data_files": {"test": "nothing.jsonl"}}},
    "kwargs_list": {**TASK, "dataset_kwargs": [1]},
    "metric_text": {**TASK, "metric_list": "acc"},
    "metric_unknown": {**TASK, "metric_list": [{"metric": "accuracy", "aggregation": "mean"}]},
    "template": {**TASK, "doc_to_text": "{{question"},
    "version_text": {**TASK, "metadata": {"version": "one", "primary": "acc,none"}},
    "primary_list": {**TASK, "metadata": {"version": 1, "primary": ["acc"]}},
    "output": {**TASK, "output_type": "loglikelihood_rolling"},
    "fewshot": {**TASK, "num_fewshot": 3},
    "class": {**TASK, "class": "os.system"},
    "micro_mmlu": TASK,
}


class Place(NamedTuple):
    """The folder, and the two sound models that stand in it as ``teacher`` and ``student``."""

    folder: Path
    teacher: LanguageModel
    student: LanguageModel

    def __str__(self) -> str:
        return str(self.folder)


def make_place(folder: Path) -> Place:
    """Write everything that the bad inputs name, and return the place."""
    tokenizer = make_tokenizer()
    models = {
        "teacher": LanguageModel(make_llama(len(tokenizer), 16, 5, seed=1).float(), tokenizer),
        "student": LanguageModel(make_llama(len(tokenizer), 12, 4, seed=2).float(), tokenizer),
    }
    for name, (model, reads) in models.items():
        model.save_pretrained(folder / name)
        reads.save_pretrained(folder / name)
    (folder / "rows.jsonl").write_text((json.dumps(ROW) + "\n") * 8)
    (folder / "nothing_in_it").mkdir()
    (folder / "a_file").write_text("a file\n")
    _write(folder / "data", DATA)
    (folder / "data" / "folder.jsonl").mkdir()
    _write(folder / "maps", MAPS)
    for name, text in INCLUDED.items():
        _write(folder / "include" / name, {f"{name}.py": text})
    named = {"TEACHER": str(folder / "teacher"), "STUDENT": str(folder / "student")}
    profiles = {name: yaml.safe_dump(content) for name, content in PROFILES.items()} | RAW_PROFILES
    for old, new in named.items():
        profiles = {name: text.replace(old, new) for name, text in profiles.items()}
    _write(folder / "profiles", {f"{name}.yaml": text for name, text in profiles.items()})
    _write(folder / "tasks", {f"{name}.yaml": yaml.safe_dump(content) for name, content in TASKS.items()})
    _write(folder / "tasks", {"test.jsonl": '{"question": "a?", "answer": 0}\n', "tab.yaml": "a:\tb\n\tc: d\n"})
    _damaged(folder)
    return Place(folder, models["teacher"], models["student"])


def _write(folder: Path, files: dict[str, bytes | str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def _damaged(folder: Path) -> None:
    """Write model and adapter folders that hold no usable model or adapter."""
    _write(folder / "models" / "config_text", {"config.json": "not JSON"})
    _write(folder / "models" / "config_list", {"config.json": "[]"})
    weights = (folder / "student" / "model.safetensors").read_bytes()
    unknown = {"config.json": json.dumps({"model_type": "no_such_type"}), "model.safetensors": weights}
    _write(folder / "models" / "unknown_type", unknown)
    _write(folder / "models" / "no_weights", {"config.json": (folder / "student" / "config.json").read_text()})
    _write(folder / "adapter", {"adapter_config.json": json.dumps({"peft_type": "LORA", "r": 2})})
    _write(folder / "adapter_text", {"adapter_config.json": "not JSON"})
    record = {"method": "semalign"}
    _write(folder / "records", {"part.json": json.dumps(record), "text.json": "not JSON", "list.json": "[1]"})
