"""Tiny real models on the CPU: they exercise everything in seconds, offline."""

import os

import pytest
import torch
from helpers.models import make_llama, make_tokenizer

from semalign.models.loading import LanguageModel
from semalign.sandbox import SandboxError, sandbox_mode


def pytest_configure():
    """Where bubblewrap does not work, the tests run programs with limits only; tests of bubblewrap say so and skip."""
    try:
        sandbox_mode()
    except SandboxError:
        os.environ["SEMALIGN_SANDBOX"] = "limits"


@pytest.fixture(autouse=True)
def isolated(tmp_path_factory, monkeypatch):
    """Keep the cache of every test apart from the user's."""
    monkeypatch.setenv("SEMALIGN_CACHE", str(tmp_path_factory.mktemp("cache")))
    torch.set_num_threads(1)


@pytest.fixture
def root(tmp_path, monkeypatch):
    """An empty data root, the only one there is."""
    monkeypatch.setenv("SEMALIGN_DATA", str(tmp_path))
    monkeypatch.setenv("SEMALIGN_ROOT", str(tmp_path / "nowhere"))
    return tmp_path


@pytest.fixture(scope="session")
def tokenizer():
    return make_tokenizer()


@pytest.fixture
def teacher(tokenizer) -> LanguageModel:
    return LanguageModel(make_llama(len(tokenizer), 16, 5, seed=1), tokenizer)


@pytest.fixture
def student(tokenizer) -> LanguageModel:
    return LanguageModel(make_llama(len(tokenizer), 12, 4, seed=2), tokenizer)


@pytest.fixture
def rows() -> list[dict[str, str]]:
    return [{"prompt": f"what is {a}+{b}?", "response": f" {a}+{b}={a + b}."} for a in range(4) for b in range(3)]
