"""Layouts from a YAML file: what they must say, and an architecture that works by one."""

import pytest
import torch
import yaml
from helpers.models import make_architecture, make_tokenizer

from semalign import attribute_layers
from semalign.data.rows import batches, encode
from semalign.models import layout_files
from semalign.models.architecture import Architecture
from semalign.models.capture import capture
from semalign.models.layout_files import layout_of, register_layouts
from semalign.models.layouts import LAYOUTS, Layout
from semalign.models.loading import LanguageModel
from semalign.paths import project_root
from semalign.registry import include
from semalign.settings import TrainingSettings
from semalign.training.lora import add_lora

EXAMPLE = project_root() / "examples" / "architecture" / "gpt_bigcode.yaml"
GOOD = yaml.safe_load(EXAMPLE.read_text())["gpt_bigcode"]


@pytest.fixture(autouse=True)
def table(monkeypatch):
    """Put the table back after each test."""
    monkeypatch.setattr(layout_files, "LAYOUTS", dict(LAYOUTS))
    layout_files._register_folder.cache_clear()
    yield layout_files.LAYOUTS
    layout_files._register_folder.cache_clear()


@pytest.fixture
def model():
    settings = {"n_embd": 16, "n_layer": 3, "n_head": 2, "n_positions": 32, "multi_query": True}
    tokenizer = make_tokenizer()
    made = make_architecture("gpt_bigcode", **settings, vocab_size=len(tokenizer))
    with torch.no_grad():
        for parameter in made.parameters():  # biases start at zero, and a wrong module might add nothing
            parameter.add_(torch.randn_like(parameter) / 10)
    return LanguageModel(made, tokenizer)


def test_an_architecture_works_by_its_file(model, rows):
    with pytest.raises(ValueError, match="no layout for architecture 'gpt_bigcode'"):
        Architecture(model.model)
    register_layouts(EXAMPLE)
    architecture, seen = Architecture(model.model), {}
    batch = next(batches(encode(rows, model.tokenizer, 32), 4))
    del batch["labels"]
    for interface in ("attention", "mlp", "residual", "layer"):
        with capture(architecture, [1, 2, 3], interface) as states, torch.no_grad():
            model.model(**batch)
        seen[interface] = states
    for k in (2, 3):  # output of the layer, less its input, is what the two sub-layers add
        added = seen["layer"][k] - seen["layer"][k - 1]
        torch.testing.assert_close(seen["attention"][k] + seen["mlp"][k], added)
    scores = attribute_layers(model, batches(encode(rows, model.tokenizer, 32), 4), "mlp")
    assert scores.shape == (3,) and scores.min() > 0
    adapted = add_lora(model.model, [2], TrainingSettings(rank=2))
    trained = {name.partition(".lora")[0] for name, p in adapted.named_parameters() if p.requires_grad}
    assert trained == {f"base_model.model.transformer.h.1.{path}" for path in GOOD["lora"]}


def test_a_file_in_an_included_folder_is_found(model, monkeypatch):
    monkeypatch.setenv("SEMALIGN_INCLUDE", "")
    include(EXAMPLE.parent)
    assert Architecture(model.model).n_layers == 3
    assert layout_of("gpt_bigcode").mlp == "mlp.dropout"


def test_readers_make_an_architecture_one_that_can_be_sliced(tmp_path, table):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({"mine": {**GOOD, "readers": {"ln_1": ["attn.c_attn"]}}}))
    register_layouts(path)
    register_layouts(path)  # the same once more is no conflict
    lists = {"lora": tuple(GOOD["lora"]), "matrices": tuple(GOOD["matrices"])}
    assert table["mine"] == Layout(**{**GOOD, **lists}, mixer=GOOD["lora"][-1], readers={"ln_1": ("attn.c_attn",)})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"mine": {**GOOD, "layer": "x"}}, "mine: unknown key 'layer', did you mean 'layers'"),
        ({"mine": {key: value for key, value in GOOD.items() if key != "mlp"}}, "mine: it has no mlp"),
        ({"mine": {**GOOD, "norm": 3}}, "mine: norm must be the path of a module.*it is 3"),
        ({"mine": {**GOOD, "lora": "mlp.c_fc"}}, "mine: lora must be a list of paths"),
        ({"mine": {**GOOD, "matrices": []}}, "mine: matrices must be a list of paths"),
        ({"mine": {**GOOD, "readers": ["ln_1"]}}, "mine: readers must hold a list of matrices for each norm"),
        ({"mine": {**GOOD, "readers": {"ln_1": "x"}}}, r"mine: readers\.ln_1 must be a list of paths"),
        ({"mine": "llama"}, "mine: give keys and values: layers, norm"),
        ({"llama": GOOD}, "another layout for llama already"),
        ({"mine": GOOD, "other": {}}, "other: it has no layers"),
        (["mine"], "must hold keys and values"),
    ],
)
def test_a_wrong_file_gets_one_line_that_names_it(tmp_path, content, message, table):
    path = tmp_path / "wrong.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(ValueError, match=message) as error:
        register_layouts(path)
    assert str(error.value).startswith(str(path)) and "\n" not in str(error.value)
    assert "mine" not in table


def test_a_missing_or_broken_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no file .*with layouts"):
        register_layouts(tmp_path / "none.yaml")
    (tmp_path / "twice.yaml").write_text("a: {layers: x, layers: y}\n")
    with pytest.raises(ValueError, match=r"twice.yaml is not YAML that can be read: it has the key 'layers' twice"):
        register_layouts(tmp_path / "twice.yaml")
    (tmp_path / "broken.yaml").write_text("a: [\n")
    with pytest.raises(ValueError, match="is not YAML") as error:
        register_layouts(tmp_path / "broken.yaml")
    assert "\n" not in str(error.value)


def test_the_matrix_that_mixes_heads_is_the_last_of_the_adapted_ones_unless_it_is_named(tmp_path):
    turned = {**GOOD, "lora": GOOD["lora"][::-1], "mixer": "attn.c_proj"}
    (tmp_path / "own.yaml").write_text(yaml.safe_dump({"one": GOOD, "two": turned}))
    register_layouts(tmp_path / "own.yaml")
    assert {layout_of(kind).mixer for kind in ("one", "two")} == {"attn.c_proj"}
