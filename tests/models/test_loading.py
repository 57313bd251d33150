"""Where a model is looked for by its name, how it is loaded, and what is said if it is not there."""

import pytest
import torch

from semalign.models import loading
from semalign.models.loading import LanguageModel, check_given, load_model, loaded, locate, shared_copy, unwrap


@pytest.fixture
def roots(tmp_path, monkeypatch):
    """A checkout without models, and a cache."""
    (tmp_path / "project" / "src" / "semalign").mkdir(parents=True)
    monkeypatch.setenv("SEMALIGN_ROOT", str(tmp_path / "project"))
    monkeypatch.setenv("SEMALIGN_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def folder(path):
    path.mkdir(parents=True)
    (path / "config.json").touch()
    return str(path)


def test_a_folder_comes_before_a_model_of_the_project_and_one_of_the_cache(roots):
    fetched = folder(roots / "cache" / "models" / "own-tiny")
    assert locate("own-tiny") == fetched
    shipped = folder(roots / "project" / "data" / "models" / "own-tiny")
    assert locate("own-tiny") == shipped
    folder(roots / "own-tiny")
    assert locate("own-tiny") == "own-tiny"


def test_a_folder_with_one_gguf_file_stands_for_it(roots):
    (roots / "quantised").mkdir()
    with pytest.raises(FileNotFoundError, match=r"neither config\.json nor a single \.gguf file"):
        locate(roots / "quantised")
    (roots / "quantised" / "a.gguf").touch()
    assert locate(roots / "quantised") == str(roots / "quantised" / "a.gguf")
    (roots / "quantised" / "b.gguf").touch()
    with pytest.raises(FileNotFoundError, match="holds no model"):
        locate(roots / "quantised")
    (roots / "quantised" / "config.json").touch()
    assert locate(roots / "quantised") == str(roots / "quantised")


def test_what_has_the_form_of_a_hub_id_is_one_and_other_names_are_an_error(roots):
    assert locate("someone/model") == "someone/model"
    for name in ("model", "./someone", "/someone/model", "a/b/c", "~/model"):
        with pytest.raises(FileNotFoundError, match="`semalign fetch "):
            locate(name)


def test_a_model_comes_as_it_was_saved_and_ready_to_use(student, tmp_path):
    student.model.train().half().save_pretrained(tmp_path / "small")
    student.tokenizer.save_pretrained(tmp_path / "small")
    plain, wide = load_model(tmp_path / "small"), load_model(str(tmp_path / "small"), dtype=torch.float64)
    assert (plain.model.dtype, wide.model.dtype) == (torch.float32, torch.float64)
    assert not plain.model.training and plain.name == "small" and plain.context_length == 64
    assert torch.equal(plain.model.lm_head.weight.half(), student.model.lm_head.weight)
    assert plain.tokenizer.get_vocab() == student.tokenizer.get_vocab()


def test_what_is_loaded_stays_as_it_is(student, tmp_path):
    assert loaded(student) is student
    assert unwrap(student) == (student.model, student.tokenizer) and unwrap(student.model) == (student.model, None)
    with pytest.raises(FileNotFoundError, match="semalign fetch none"):
        loaded("none")


def test_a_model_that_was_made_here_is_named_by_its_class(student):
    assert student.name == "LlamaForCausalLM"
    student.model.config.name_or_path = "some/where/small"
    assert LanguageModel(*student).name == "small"


def test_a_copy_shares_memory_and_nothing_else(student):
    copied = shared_copy(student.model)
    for ours, theirs in zip(copied.parameters(), student.model.parameters(), strict=True):
        assert ours.data_ptr() == theirs.data_ptr() and ours is not theirs
        assert theirs.requires_grad and not ours.requires_grad
    copied.lm_head.register_forward_hook(lambda *_: pytest.fail("the hook of the copy ran"))
    student.model(torch.tensor([[1, 2]]))


def test_the_hub_is_asked_once_and_quickly_for_a_model_that_is_not_here(monkeypatch):
    asked = []

    class Api:
        def model_info(self, name, timeout):
            asked.append((name, timeout))
            raise ConnectionError("no network")

    monkeypatch.setattr(loading, "HfApi", Api)
    monkeypatch.setattr(loading, "load_network", lambda *_: pytest.fail("a download began"))
    with pytest.raises(FileNotFoundError, match=r"the Hugging Face hub did not give it \(ConnectionError\)"):
        load_model("nobody/nothing")
    assert asked == [("nobody/nothing", 5.0)]


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (None, "a model is a LanguageModel, a name or a path, not NoneType"),
        (("model", "tokenizer"), r"pass LanguageModel\(\*pair\)"),
        (torch.nn.Linear(2, 2), r"a Linear comes without its tokenizer: pass LanguageModel\(model, tokenizer\)"),
    ],
)
def test_what_is_no_model_is_told_with_what_to_pass(model, message):
    with pytest.raises(ValueError, match=message):
        check_given(model)


def test_a_device_that_is_not_there_is_told(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    for device in ("gpu", "cuda:99"):
        with pytest.raises(ValueError, match=f"the device '{device}' cannot be used: "):
            load_model(tmp_path, device=device)
