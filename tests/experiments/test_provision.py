"""What a profile needs: got from a hub that is a stand-in, proved without any."""

import json
import shutil
from types import SimpleNamespace

import pytest
import yaml
from helpers.data import GSM8K, HUMANEVAL, write
from helpers.models import make_llama, make_tokenizer
from huggingface_hub.errors import LocalEntryNotFoundError
from typer.testing import CliRunner

from semalign import cli
from semalign.data import sources
from semalign.data import tasks as benchmarks
from semalign.experiments.named_inputs import Split
from semalign.experiments.profiles import load_profile
from semalign.experiments.provision import check_provided, fetch_profile, verify
from semalign.hub import HubError
from semalign.models import downloads, on_disk
from semalign.paths import cache_dir, use_data_root

QUESTION = {"question": "Q?", "subject": "maps", "choices": list("wxyz"), "answer": 1}
HUB = {
    Split("openai/gsm8k", "main", "train"): [GSM8K],
    Split("openai/gsm8k", "main", "test"): [GSM8K, GSM8K],
    Split("openai/openai_humaneval", None, "test"): [HUMANEVAL],
    Split("me/instructions", None, "train"): [{"instruction": "Say a.", "input": "", "output": "a"}],
    **{Split("cais/mmlu", "all", split): [QUESTION] for split in ("validation", "dev", "test")},
}
TASKS = {"gsm8k": {}, "humaneval": {"training_data": "me/instructions"}, "mmlu": {}}


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A profile of two models on a stand-in for the hub and one on disk; the hub's data are those above."""
    monkeypatch.setenv("SEMALIGN_ROOT", str(tmp_path / "nowhere"))
    monkeypatch.setenv("SEMALIGN_DATA", str(tmp_path / "roots"))
    tokenizer = make_tokenizer()
    for name in ("teacher", "student", "local"):
        make_llama(len(tokenizer), 12, 2, 0).float().save_pretrained(tmp_path / name, max_shard_size="8KB")
        tokenizer.save_pretrained(tmp_path / name)
    downloaded = tmp_path / "hub cache"

    def hub_rows(*split, offline=False):
        if offline:
            raise HubError("its cache has none")
        return HUB[Split(*split)]

    def snapshot(name, allow_patterns=None, local_files_only=False):
        folder = downloaded / name.replace("/", "--")
        if local_files_only:
            if not folder.is_dir():
                raise LocalEntryNotFoundError(f"no snapshot of {name}")
            return str(folder)
        assert allow_patterns[-1] == "model-00001-of-00002.safetensors" and not any(".bin" in p for p in allow_patterns)
        return str(shutil.copytree(tmp_path / name.partition("/")[2], folder))

    for module in (downloads, on_disk):
        monkeypatch.setattr(module, "snapshot_download", snapshot)
    files = [SimpleNamespace(rfilename=name) for name in ("config.json", "model-00001-of-00002.safetensors")]
    api = SimpleNamespace(model_info=lambda name, timeout: SimpleNamespace(siblings=files))
    monkeypatch.setattr("huggingface_hub.HfApi", lambda: api)
    monkeypatch.setattr(sources, "hub_rows", hub_rows)
    path = tmp_path / "tiny.yaml"
    content = {"teacher": "me/teacher", "student": "me/student", "teachers": {str(tmp_path / "local"): ["gsm8k"]}}
    path.write_text(yaml.safe_dump({**content, "tasks": TASKS}))
    return path


def offline(monkeypatch):
    def refuse(*_, **__):
        raise HubError("no network")

    monkeypatch.setattr(sources, "hub_rows", refuse)
    monkeypatch.setattr("huggingface_hub.HfApi", refuse)


def test_what_is_fetched_is_there_offline(published, monkeypatch, tmp_path):
    profile = load_profile(published)
    fetch_profile(profile)
    offline(monkeypatch)
    assert set(verify(profile).values()) == {""} and len(verify(profile)) == 3 + len(HUB)
    assert benchmarks.documents("gsm8k", "test") == [GSM8K, GSM8K]
    assert (cache_dir() / "data/openai/gsm8k/main/test.jsonl").is_file()


def test_what_is_missing_is_named(published, monkeypatch, tmp_path):
    profile = load_profile(published)
    fetch_profile(profile)
    offline(monkeypatch)
    shards = sorted((tmp_path / "hub cache/me--teacher").glob("model-*.safetensors"))
    assert len(shards) > 1
    shards[-1].unlink()
    (tmp_path / "hub cache/me--student/tokenizer.json").unlink()
    (cache_dir() / "data/cais/mmlu/all/dev.jsonl").unlink()
    problems = {what: problem for what, problem in verify(profile).items() if problem}
    assert problems.keys() == {"model me/teacher", "model me/student", "data cais/mmlu all dev"}
    assert shards[-1].name in problems["model me/teacher"]


def test_the_commands_that_help_take_the_profile_as_it_was_given(published, monkeypatch):
    offline(monkeypatch)
    monkeypatch.chdir(published.parent)
    with pytest.raises(FileNotFoundError, match=r"profile tiny: 9 of .*`semalign fetch --profile tiny\.yaml --verify`"):
        check_provided(load_profile(published.name))


def test_a_damaged_model_is_named_without_loading_it(published, monkeypatch, tmp_path):
    profile = load_profile(published)
    fetch_profile(profile)
    offline(monkeypatch)
    shard = sorted((tmp_path / "hub cache/me--teacher").glob("model-*.safetensors"))[0]
    shard.write_bytes(shard.read_bytes()[:-9])
    (tmp_path / "hub cache/me--student/config.json").write_text("{")
    problems = verify(profile)
    assert f"{shard.name} is cut off or damaged" in problems["model me/teacher"]
    assert "config.json is damaged" in problems["model me/student"]


def test_a_data_root_does_for_the_hub(published, monkeypatch, tmp_path):
    for split, rows in HUB.items():
        write(tmp_path / "roots", "/".join(part for part in split if part), rows)
    offline(monkeypatch)
    assert not any(problem for what, problem in verify(load_profile(published)).items() if what.startswith("data"))


def test_what_the_hub_does_not_give_is_one_error(published, monkeypatch):
    offline(monkeypatch)
    with pytest.raises(ConnectionError, match="does not give the model me/student"):
        fetch_profile(load_profile(published))


def test_the_command_says_what_is_there_and_fails_for_what_is_not(published, monkeypatch):
    missing = CliRunner().invoke(cli.app, ["fetch", "--profile", str(published), "--verify"])
    assert missing.exit_code == 1 and "missing model me/student: not in the hub's cache" in missing.output
    fetched = CliRunner().invoke(cli.app, ["fetch", "--profile", str(published)])
    assert fetched.exit_code == 0 and fetched.output.count("present ") == 3 + len(HUB)
    assert CliRunner().invoke(cli.app, ["fetch"]).exit_code == 2


def test_rows_and_fingerprints_are_the_same_from_every_source(tmp_path, monkeypatch):
    import pyarrow as pa
    import pyarrow.parquet as pq

    monkeypatch.setenv("SEMALIGN_ROOT", str(tmp_path / "nowhere"))
    rows = [QUESTION, {**QUESTION, "question": "Ä?"}]
    write(tmp_path / "jsonl", "cais/mmlu/all/test", rows)
    (tmp_path / "parquet/cais/mmlu/all").mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "parquet/cais/mmlu/all/test.parquet")
    monkeypatch.setattr(sources, "hub_rows", lambda *_, **__: json.loads(json.dumps(rows)))
    found = []
    for root in ("jsonl", "parquet", "none"):
        monkeypatch.setenv("SEMALIGN_DATA", str(tmp_path / root))
        found.append(benchmarks.documents("mmlu", "test"))
    assert found[0] == found[1] == found[2] == rows
    assert len({sources.fingerprint(each) for each in found}) == 1


def test_the_hub_is_not_waited_for(monkeypatch):
    """Where the hub does not answer one quick question, only the cache of ``datasets`` is looked at."""
    import datasets

    asked = []
    monkeypatch.setattr(sources, "_refusal", lambda dataset: HubError("no network"))
    monkeypatch.setattr(
        datasets, "load_dataset", lambda *_, **__: asked.append(datasets.config.HF_HUB_OFFLINE) or _Rows()
    )
    before = datasets.config.HF_HUB_OFFLINE
    assert sources.hub_rows("openai/gsm8k", "main", "test") == [GSM8K]
    assert asked == [True] and datasets.config.HF_HUB_OFFLINE == before


class _Rows:
    def to_list(self):
        return [GSM8K]


def test_a_data_root_of_the_command_line_is_searched_first(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMALIGN_DATA", str(tmp_path / "old"))
    write(tmp_path / "old", "openai/gsm8k/main/test", [GSM8K])
    write(tmp_path / "new", "openai/gsm8k/main/test", [GSM8K] * 3)
    use_data_root(tmp_path / "new")
    assert len(benchmarks.documents("gsm8k", "test")) == 3
    with pytest.raises(NotADirectoryError, match="is not a folder"):
        use_data_root(tmp_path / "none")
