import json

import pytest


@pytest.fixture
def folders(teacher, student, rows, tmp_path):
    for name, (model, tokenizer) in {"teacher": teacher, "student": student}.items():
        model.float().save_pretrained(tmp_path / name)
        tokenizer.save_pretrained(tmp_path / name)
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path
