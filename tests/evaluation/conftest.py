import json

import pytest
from helpers.scripted import character_model, character_tokenizer


@pytest.fixture(scope="module")
def tokenizer():
    """One token for each printable character."""
    return character_tokenizer()


@pytest.fixture
def model(tokenizer):
    """A two-layer Llama of random weights, far from uniform in what it says."""
    return character_model(tokenizer)


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Return a function that makes the test split of a micro benchmark."""
    monkeypatch.setenv("SEMALIGN_DATA", str(tmp_path))
    monkeypatch.setenv("SEMALIGN_ROOT", str(tmp_path))

    def write(name, rows):
        path = tmp_path / f"semalign/micro-{name}/test.jsonl"
        path.parent.mkdir(parents=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))

    return write
