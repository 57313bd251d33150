import pytest
from transformers import AutoTokenizer

from semalign.paths import models_dir


@pytest.fixture(scope="session")
def tokenizer():
    """The tokenizer of the family; it takes seconds to train, and a test says that it comes out the same."""
    return AutoTokenizer.from_pretrained(models_dir() / "micro-teacher")
