"""Task files from outside the package: what they may say, and the line that each mistake gets."""

import json
from functools import partial
from pathlib import Path

import pytest
import yaml
from helpers.data import SUMS as ITEMS
from helpers.data import SUMS_TASK as CONTENT

from semalign.data import task_templates, tasks
from semalign.data.task_check import Primary
from semalign.data.task_file import task_file, task_name
from semalign.data.time_limit import time_limit

EXACT, ACC = CONTENT["metric_list"][0], {"metric": "acc", "higher_is_better": True}


@pytest.fixture
def task(tmp_path):
    """Return a function that writes a task file with some changes, and its data."""
    (tmp_path / "items.jsonl").write_text("".join(json.dumps(item) + "\n" for item in ITEMS))

    def write(text: str = "", **changes) -> Path:
        content = {key: value for key, value in {**CONTENT, **changes}.items() if value is not None}
        path = tmp_path / "sums.yaml"
        path.write_text(yaml.safe_dump(content) + text)
        return path

    return write


def test_data_files_stand_beside_the_task_file(task, monkeypatch, tmp_path_factory):
    path = task()
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert tasks.documents(path, "test") == tasks.documents(str(path), "practice") == ITEMS
    assert tasks.rows(path, "train", 1) == [{"prompt": "Compute 1+1:", "response": " 2"}]
    assert task_file(path).name == task_name(path) == "sums"
    with pytest.raises(FileNotFoundError, match="no split 'validation': the task's data_files are exam, practice"):
        tasks.documents(path, "validation")


def test_a_task_may_include_a_bundled_one(task):
    path = task()
    own = {"include": "micro_gsm8k.yaml", "doc_to_text": "{{question}} ="}
    path.write_text(yaml.safe_dump({**own, "metadata": {"version": 2, "primary": "exact_match,flexible"}}))
    found = task_file(path)
    assert (found.version, found.data.dataset, found.bundled) == (2.0, "semalign/micro-gsm8k", False)
    assert tasks.rows(path, "test", 1)[0]["prompt"].endswith(" =")


def test_a_configuration_names_the_hash_of_a_users_own_file_alone(task):
    own = task_file(task())
    assert (own.own_file, task_file("micro_gsm8k").own_file) == ({"task_file": own.fingerprint}, {})


def test_a_function_of_a_module_beside_the_file_is_used_and_followed(task):
    points = {"metric": "points", "aggregation": "mean"}
    metadata = {"version": 1, "primary": "points,none"}
    path = task("process_results: !function mine.score\n", metric_list=[points], metadata=metadata)
    module = path.with_name("mine.py")
    module.write_text("def score(item, results):\n    return {'points': 3}\n")
    assert tasks.load_task(path, "test").process_results(ITEMS[0], ["x"]) == {"points": 3}
    before = task_file(path).fingerprint
    module.write_text("def score(item, results):\n    return {'points': 4}\n")
    assert tasks.load_task(path, "test").process_results(ITEMS[0], ["x"]) == {"points": 4}
    assert task_file(path).fingerprint != before


def test_a_task_that_runs_programs_is_known_by_its_functions(task):
    run = "{function: custom, filter_fn: !function semalign.evaluation.code.run_mbpp}"
    filters = f"filter_list:\n- {{name: tests, filter: [{run}]}}\n"
    assert task_file(task(filters, metadata={"version": 1, "primary": "exact_match,tests"})).runs_programs
    assert not task_file(task()).runs_programs


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metadata": {"version": 1}}, "it has no metadata.primary"),
        ({"metadata": {"primary": "exact_match,none"}}, "it has no metadata.version"),
        ({"metadata": {"version": "one", "primary": "exact_match,none"}}, "version must be a number"),
        ({"metadata": {"version": 1, "primary": "exact_match"}}, "primary must be METRIC,EXTRACTION"),
        ({"metadata": {"version": 1, "primary": "acc,none"}}, "with a metric of exact_match"),
        ({"metadata": None}, "it has no metadata"),
        ({"test_split": None}, "it has no test_split"),
        ({"test_split": "final"}, "data_files has no 'final', the test split"),
        ({"dataset_path": None}, "it has no dataset_path"),
        ({"dataset_kwargs": None}, "must name one JSON, CSV or Parquet file for each split"),
        ({"dataset_kwargs": {"data_files": {"exam": "other.jsonl"}}}, r"there is no .*other\.jsonl"),
        ({"doc_to_txt": "x"}, "unknown key 'doc_to_txt', did you mean 'doc_to_text'"),
        ({"class": "x"}, "class is not supported"),
        ({"num_fewshot": 5}, "prompts are zero-shot"),
        ({"output_type": "loglikelihood"}, "output_type must be one of generate_until, multiple_choice"),
        ({"output_type": "multiple_choice"}, "multiple_choice needs doc_to_choice"),
        ({"generation_kwargs": {"do_sample": False}}, "it has no generation_kwargs.max_gen_toks"),
        ({"generation_kwargs": {"do_sample": True, "max_gen_toks": 4}}, "it has no metadata.seed"),
        ({"generation_kwargs": {**CONTENT["generation_kwargs"], "num_beams": 4}}, "num_beams is not supported"),
        ({"doc_to_text": "{{question"}, "doc_to_text: its template is not jinja: unexpected end of template"),
        ({"doc_to_target": "{{answer | nothing}}"}, "doc_to_target: its template is not jinja: No filter named"),
        ({"filter_list": [{"name": "none", "filter": [{"function": "x"}]}]}, "extraction 'none': KeyError"),
        ({"filter_list": [{"name": "none", "filter": [{"function": "regex", "regex_pattern": "("}]}]}, "untermin"),
        ({"filter_list": [{"name": "none", "filter": [{"function": "regex", "regexp": "x"}]}]}, "'none': TypeError"),
        ({"filter_list": [{"name": "none", "filter": [{"function": "custom"}]}]}, "'none': KeyError"),
        ({"metadata": {**CONTENT["metadata"], "columns": {"a": "string"}}}, "metadata.columns.a must be one of any"),
        ({"metric_list": [{"metric": "acc"}], "metadata": {"version": 1, "primary": "acc,none"}}, "aggregation mean"),
        ({"metric_list": [{"metric": "a/b"}], "metadata": {"version": 1, "primary": "a/b,none"}}, "no metric 'a/b'"),
        ({"metric_list": [{"metric": "ter"}], "metadata": {"version": 1, "primary": "ter,none"}}, "'ter' is not supp"),
        ({"metadata": {**CONTENT["metadata"], "columns": {"a": "/[/"}}}, r"columns.a: /\[/ is no regular expression"),
        ({"metadata": {**CONTENT["metadata"], "columns": {"a": "/"}}}, "metadata.columns.a must be one of any"),
        ({"metadata": {**CONTENT["metadata"], "training": {"split": ["x"]}}}, "unknown key 'metadata.training.split'"),
        ({"metric_list": [EXACT | {"aggregation": "median"}]}, "needs the aggregation mean; it is 'median'"),
        ({"metric_list": [EXACT | {"aggregation": "nanmean"}]}, "'exact_match' makes the score, and so needs"),
        ({"metric_list": [EXACT, ACC | {"aggregation": "f1"}]}, "'acc' needs an aggregation of mean, .*; it is 'f1'"),
        ({"metric_list": [EXACT, ACC | {"aggregation": "total"}]}, "or a !function; it is 'total'"),
        ({"description": "{{ question"}, "description: its template is not jinja"),
    ],
)  # fmt: skip
def test_an_incomplete_file_gets_one_line_that_names_it(task, changes, message):
    path = task(**changes)
    with pytest.raises(ValueError, match=message) as error:
        task_file(path)
    assert str(error.value).startswith(f"{path}: ") and "\n" not in str(error.value)


def test_a_metric_beside_the_score_may_be_aggregated_otherwise(task):
    path = task(metric_list=[EXACT, ACC | {"aggregation": "median"}])
    assert task_file(path).metadata["primary"] == "exact_match,none"


def test_the_score_is_not_aggregated_by_a_function_of_ones_own(task):
    entry = "metric_list: [{metric: exact_match, aggregation: !function mine.total}]\n"
    path = task(entry, metric_list=None)
    path.with_name("mine.py").write_text("def total(values):\n    return sum(values)\n")
    with pytest.raises(ValueError, match=r"needs the aggregation mean; it is !function mine\.total"):
        task_file(path)


def test_the_name_of_an_extraction_may_have_commas(task):
    primary = "exact_match,strict,v2"
    extraction = {"name": "strict,v2", "filter": [{"function": "take_first"}]}
    path = task(filter_list=[extraction], metadata={"version": 1, "primary": primary})
    assert Primary.of(task_file(path).metadata) == ("exact_match", "strict,v2")


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("mine.missing", "!function mine.missing: AttributeError"),
        ("mine.number", "is no function"),
        ("os.system", "other functions are those of semalign.evaluation.code"),
        ("semalign.files.write_json", "other functions are those of semalign.evaluation.code"),
        ("long.f", "RuntimeError: two lines"),
        ("nowhere.f", r"there is no .*nowhere\.py"),
        ("..mine.score", "write module.name"),
        ("score", "write module.name"),
        ("broken.f", "!function broken.f: ZeroDivisionError: division by zero"),
        ("semalign.evaluation.code.nothing", "AttributeError"),
    ],
)
def test_a_function_that_cannot_be_imported_gets_one_line(task, function, message):
    path = task(f"process_results: !function {function}\n")
    path.with_name("mine.py").write_text("number = 1\ndef score(item, results):\n    return {}\n")
    path.with_name("broken.py").write_text("1 / 0\n")
    path.with_name("long.py").write_text("raise RuntimeError('two\\nlines')\n")
    with pytest.raises(ValueError, match=message) as error:
        task_file(path)
    assert str(error.value).startswith(f"{path}: ") and "\n" not in str(error.value)


def test_files_that_are_no_task_files(task, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no task file .*nowhere\.yaml"):
        task_file(tmp_path / "nowhere.yaml")
    path = task()
    wrong = {
        "- a\n": "must hold keys and values",
        "a: [\n": "is not YAML",
        "a: !!python/name:os.system\n": "is not YAML",
        "include: sums.yaml\n": "includes itself",
    }
    for text, message in wrong.items():
        path.write_text(text)
        with pytest.raises(ValueError, match=message) as error:
            task_file(path)
        assert "\n" not in str(error.value)


def test_a_file_with_the_name_of_a_bundled_task_is_refused(task):
    path = task().rename(task().with_name("mmlu.yaml"))
    with pytest.raises(ValueError, match=r"mmlu is a bundled task.*rename the file"):
        task_file(path)


def test_a_template_that_does_not_end_is_stopped(task, monkeypatch):
    loop = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}{{question}}"
    monkeypatch.setattr(task_templates, "time_limit", partial(time_limit, seconds=0.2))
    with pytest.raises(ValueError, match=r"items\.jsonl, line 1: a template does not end within 0.2 s"):
        tasks.documents(task(doc_to_text=loop), "test")


def test_a_task_of_lm_eval_with_examples_is_asked_without_them(task):
    path = task(fewshot_split="practice", fewshot_config={"sampler": "first_n"})
    assert tasks.rows(path, "test", 1) == [{"prompt": "Compute 1+1:", "response": " 2"}]


def test_a_description_begins_the_question_and_is_rendered_in_the_sandbox(task, tmp_path):
    path = task(description="Sums like {{question}}.\n", gen_prefix="It is")
    assert tasks.rows(path, "test", 1, chat="tulu")[0]["prompt"] == (
        "<|user|>\nSums like 1+1.\nCompute 1+1:\n<|assistant|>\nIt is"
    )
    assert tasks.rows(task(description="Be brief. "), "test", 1)[0]["prompt"] == "Be brief. Compute 1+1:"
    opens = f"cycler.__init__.__globals__.os.mkdir('{tmp_path / 'made'}')"
    for text in ("{{ " + opens + " }}", "{{ sum }}"):
        with pytest.raises(ValueError, match=r"line 1: (SecurityError|no column 'sum')"):
            tasks.rows(task(description=text), "test")
    assert not (tmp_path / "made").exists()


def test_a_metric_of_the_users_own_may_be_of_any_name(task):
    metadata = {"version": 1, "primary": "bleu,none"}
    path = task("process_results: !function mine.score\n", metric_list=[{"metric": "bleu", "aggregation": "mean"}],
                metadata=metadata)  # fmt: skip
    path.with_name("mine.py").write_text("def score(item, results):\n    return {'bleu': 0.5}\n")
    assert task_file(path).metadata["primary"] == "bleu,none"
