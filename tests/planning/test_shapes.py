"""The numbers of Llama 2 against hand computation and Table 3, and of any architecture against the model itself."""

import csv

import pytest
import torch
from helpers.models import SMALL, SPECIAL, TYPES, make_architecture

from semalign.paths import data_dir
from semalign.planning.left_out import UnplannedError
from semalign.planning.shapes import TABLE, from_config, shapes_of
from semalign.yaml_text import read_mapping

SMALLER, LARGER = "meta-llama/Llama-2-7b-chat-hf", "meta-llama/Llama-2-13b-chat-hf"


@pytest.fixture(autouse=True)
def no_hub_cache(monkeypatch):
    monkeypatch.setattr("semalign.planning.shapes.try_to_load_from_cache", lambda *_: None)


def test_llama_2_has_the_parameters_that_one_counts_by_hand():
    # Embeddings and head, 32 layers of 4 D^2 + 3 D F + 2 D, and the final norm.
    assert shapes_of(SMALLER).parameters == 2 * 32000 * 4096 + 32 * (4 * 4096**2 + 3 * 4096 * 11008 + 2 * 4096) + 4096
    assert shapes_of(SMALLER).parameters == 6_738_415_616
    assert shapes_of(LARGER).parameters == 13_015_864_320


def test_llama_2_has_the_matrices_of_its_layers():
    shapes = shapes_of(LARGER)
    assert (shapes.layers, shapes.width, shapes.heads, shapes.kv_heads, shapes.head_width) == (40, 5120, 40, 40, 128)
    assert shapes.matrix_parameters == 4 * 5120**2 + 3 * 5120 * 13824 == 317_194_240
    assert shapes.matrices["mlp.down_proj"] == (5120, 13824)
    assert shapes.lora_parameters(16) == 16 * (2 * (5120 + 13824) + 2 * (5120 + 5120)) == 933_888
    assert shapes.query == 5120 and shapes.saved == 3 * 13824 and shapes.dtype == torch.float16


def test_the_packaged_numbers_are_those_of_table_3():
    with open(data_dir() / "paper" / "table3.csv") as file:
        paper = [
            tuple(int(row[key]) for key in ("heads", "layers", "dimension", "vocabulary"))
            for row in csv.DictReader(file)
        ]
    packaged = [
        tuple(row[key] for key in ("heads", "layers", "width", "vocabulary")) for row in read_mapping(TABLE).values()
    ]
    assert packaged == paper


MIXTURES = ["mixtral", "qwen2_moe", "qwen3_moe", "deepseek_v3"]


@pytest.mark.parametrize("model_type", MIXTURES)
def test_a_mixture_of_experts_is_refused(model_type):
    model = make_architecture(model_type, **SPECIAL[model_type])
    with pytest.raises(UnplannedError, match="tiny is a mixture of experts, whose experts a plan does not count"):
        from_config(model.config, "tiny")


@pytest.mark.parametrize("model_type", [each for each in TYPES if each not in MIXTURES])
def test_every_architecture_is_counted_without_its_weights(model_type):
    model = make_architecture(model_type, **SPECIAL.get(model_type, SMALL))
    shapes = from_config(model.config, "tiny")
    assert shapes.parameters == sum(p.numel() for p in model.parameters())
    assert shapes.vocabulary == 64


def test_a_model_on_disk_is_read_from_its_configuration():
    shapes = shapes_of("micro-student")
    assert shapes.source == "its configuration"
    assert (shapes.layers, shapes.width, shapes.mlp, shapes.vocabulary) == (8, 96, 192, 1024)


def test_a_model_that_is_nowhere_is_told_with_the_command_that_gets_it():
    with pytest.raises(FileNotFoundError, match=r"no configuration of 'someone/model'.*`hf download someone/model"):
        shapes_of("someone/model")


def test_a_gguf_file_has_no_configuration(tmp_path):
    (tmp_path / "model.gguf").write_bytes(b"")
    with pytest.raises(ValueError, match="a GGUF file has none"):
        shapes_of(str(tmp_path / "model.gguf"))
