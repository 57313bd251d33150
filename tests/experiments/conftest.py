import json

import pytest
from helpers.models import make_llama, make_tokenizer
from helpers.profiles import write_profile

from semalign.data.tasks import items_hash
from semalign.experiments.inputs import forget_sources


@pytest.fixture
def profile(tmp_path, monkeypatch):
    tokenizer = make_tokenizer()
    for name, width, layers, seed in (("teacher", 16, 5, 1), ("coder", 16, 5, 3), ("student", 12, 4, 2)):
        model = make_llama(len(tokenizer), width, layers, seed, max_position_embeddings=512).float()
        model.save_pretrained(tmp_path / name)
        tokenizer.save_pretrained(tmp_path / name)
    sums = [(a, b) for a in range(4) for b in (1, 2)]
    questions = [{"question": f"what is {a}+{b}?", "answer": f"{a}+{b}={a + b}\n#### {a + b}"} for a, b in sums]
    folder = tmp_path / "roots" / "semalign" / "micro-gsm8k"
    folder.mkdir(parents=True)
    for split in ("train", "validation", "test"):
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in questions))
    monkeypatch.setenv("SEMALIGN_DATA", str(tmp_path / "roots"))
    forget_sources()
    items_hash.cache_clear()
    return write_profile(tmp_path)
