"""Tiny real models on the CPU: they exercise everything in seconds, offline."""

import gc
import itertools
import os
import random
import signal
import sys
from pathlib import Path

import huggingface_hub.constants
import numpy as np
import pytest
import torch
from helpers.models import make_llama, make_tokenizer

from semalign import hub
from semalign.data.sources import locate
from semalign.evaluation.engine_choice import ENGINE, OPTIONS
from semalign.models import located
from semalign.models.loading import LanguageModel
from semalign.paths import data_roots
from semalign.sandbox import SandboxError, sandbox_mode

set_aside = [0]  # how many modules were loaded when they were last set aside
ROOTS = data_roots()  # as the user has set them; tests set others


def pytest_configure():
    """Prepare the process: Ctrl-C is heard, as tests send it, also where a shell started this in the background.

    Where bubblewrap does not work, the tests run programs with limits only; tests of bubblewrap say so and skip.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        sandbox_mode()
    except SandboxError:
        os.environ["SEMALIGN_SANDBOX"] = "limits"


@pytest.fixture(autouse=True)
def modules_set_aside():
    """Take modules that earlier tests have loaded out of the search for unused objects: they never become unused.

    Models are released by such a search, which else goes through a million objects of PyTorch and transformers.
    """
    if len(sys.modules) > set_aside[0] + 100:
        gc.collect()
        gc.freeze()
        set_aside[0] = len(sys.modules)


@pytest.fixture(autouse=True)
def seeded():
    """Let each test draw the same random numbers in every run, whatever ran before it."""
    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)


@pytest.fixture(scope="session")
def caches(tmp_path_factory):
    """New folders, one after the other: ``mktemp`` looks through all folders of earlier tests for each."""
    folder = tmp_path_factory.mktemp("caches")
    return (folder / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def isolated(caches, monkeypatch):
    """Keep the cache of every test apart from the user's, and let no test know what another found of the hub."""
    cache = next(caches)
    cache.mkdir()
    monkeypatch.setenv("SEMALIGN_CACHE", str(cache))
    monkeypatch.setattr(hub, "_unreachable", [])
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", huggingface_hub.constants.HF_HUB_OFFLINE)
    located._refusal.cache_clear()
    for variable in (ENGINE, OPTIONS):  # restored where a command sets them
        monkeypatch.setenv(variable, "")
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def data_roots_of_the_user(request, isolated, monkeypatch):
    """Give a test that needs published data the user's data roots, or skip it where they do not have the data."""
    splits = [Path(split) for mark in request.node.iter_markers("needs_published") for split in mark.args]
    if splits:
        monkeypatch.setenv("SEMALIGN_DATA", os.pathsep.join(map(str, ROOTS)))
    for split in splits:
        try:
            locate(str(split.parent), None, split.name)
        except FileNotFoundError:
            pytest.skip(f"{split} is in no data root: SEMALIGN_DATA names the folder that has it")


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


@pytest.fixture
def unseen() -> list[dict[str, str]]:
    """Rows to hold out, none of which is among ``rows``."""
    return [{"prompt": f"what is {a}+{b}?", "response": f" {a}+{b}={a + b}."} for a in range(4) for b in range(3, 5)]
