"""The commands that book, notebooks, README, ledger and profiles give: the command line takes each of them."""

import re
import shlex
from functools import cache

import pytest
from typer.main import get_command

from semalign import cli
from semalign.data.tasks import rows
from semalign.paths import project_root

PLACES = ["README.md", "book/*.md", "notebooks/*.py", "data/results/README.md", "data/claims.yaml"]
PLACES += ["src/semalign/experiments/profile_files/*.yaml", "benchmarks/*.py"]
COMMAND = re.compile(rf"\bsemalign (?=((?:{'|'.join(cli.COMMANDS)}) .*))")  # a line may have several
END = re.compile(r"[`;|)\"]|\\n|\s[#&>]|, | and |\.\s|\.?$")


@cache
def written():
    """Return the commands by where they stand, without those that are made of variables."""
    found = {}
    for path in (path for pattern in PLACES for path in sorted(project_root().glob(pattern))):
        text = re.sub(r" \\+\n[\s#]*", " ", path.read_text())  # a command on several lines
        text = re.sub(r"\n# (?! )", " ", text) if path.suffix == ".yaml" else text  # a comment's lines, but no block
        for match in COMMAND.finditer(text):
            words = END.split(match[1], maxsplit=1)[0].strip()
            if not re.search(r"[${}…]|\.\.", words):
                found.setdefault(words, path.name)
    return found


@pytest.fixture
def example_files(tmp_path, monkeypatch):
    """A working folder with the files that commands for a reader's own models and data name."""
    (tmp_path / "examples").symlink_to(project_root() / "examples")
    (tmp_path / "mine.jsonl").write_text('{"prompt": "a", "response": "b"}\n' * 1000)
    (tmp_path / "my-task.yaml").symlink_to(project_root() / "examples" / "task" / "arithmetic.yaml")
    (tmp_path / "my-profile.yaml").write_text("teacher: a\nstudent: b\ntasks: {micro_gsm8k: {train_size: 1}}\n")
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("example_files")
@pytest.mark.parametrize("words", sorted(written()))
def test_a_written_command_is_read_to_its_end(words):
    verb, *arguments = shlex.split(re.sub(r"\b(TASK|DATA)\b", "micro_gsm8k", words))
    with get_command(cli.app).commands[verb].make_context(verb, arguments) as context:  # reads all, and runs nothing
        given = context.params
    if str(given.get("data")).startswith("micro_") and "hold_out" in given:
        wanted = (given["examples"] or 1) + (given["hold_out"] or 0)
        assert wanted <= len(rows(given["data"], "train")), "the task has not as many rows"


def test_commands_are_found_in_every_kind_of_place():
    assert {path.split(".")[-1] for path in written().values()} == {"md", "py", "yaml"}
    assert "run --profile micro --only 08" in written() and "plan --profile llama2 --gpu a100" in written()
