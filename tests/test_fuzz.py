"""Random rows, records, profiles, settings and task files: each works, or is refused in one line.

``EXAMPLES`` counts them all: a tenth of them in the fast tests, the same ones in every run.
"""

import copy
import json

import pytest
import yaml
from helpers.bad_places import PROFILE, ROW, TASK
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jaxtyping import TypeCheckError
from typer import BadParameter

from semalign.cli.inputs import settings_of
from semalign.data.rows import encode, read_rows
from semalign.data.task_file import task_file
from semalign.experiments.profiles import load_profile
from semalign.methods.registry import METHODS
from semalign.results.records import make_record, read_record
from semalign.yaml_text import parse

PARTS = ("rows", "texts", "row files", "records", "record files", "profiles", "settings", "tasks", "options", "yaml")
EACH = 200
EXAMPLES = len(PARTS) * EACH

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([0, -1, 2**31, 2**63, 2**70, 10**400]),
    st.floats(),
    st.text(st.characters(), max_size=12),  # lone surrogates and control characters among them
    st.sampled_from(["", "\x00", "\ud800", "1e400", ".nan", "a\nb", "x" * 5000, "semalign", "micro_mmlu", "{{x"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=3),
    max_leaves=6,
)
FIELDS = sorted({field for method in METHODS.values() for field in method.settings.model_fields})


def fuzz(part, *fixtures, **given_by):
    """Run a test on a tenth of its examples in the fast tests, and on all ``EACH`` among the slow ones."""
    assert part in PARTS

    def decorate(test):
        quiet = {"deadline": None, "derandomize": True, "database": None}
        checks = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]

        @pytest.mark.parametrize("count", [EACH // 10, pytest.param(EACH, marks=pytest.mark.slow)])
        def counted(count, request):
            found = {name: request.getfixturevalue(name) for name in fixtures}

            @settings(max_examples=count, suppress_health_check=checks, **quiet)
            @given(st.fixed_dictionaries(given_by))
            def once(drawn):
                test(**drawn, **found)

            once()

        return counted

    return decorate


def works_or_is_refused(call, *arguments, **named):
    """Call a function; whatever it does not take must be refused with a message of one line."""
    try:
        return call(*arguments, **named)
    except TypeCheckError:  # of the tests alone, which check the types of all arguments
        return None
    except (ValueError, OSError, BadParameter) as error:
        assert str(error) and not {"\n", "\r"} & set(str(error)), repr(str(error))
        assert "pydantic.dev" not in str(error)
        return None


def changed(sound, path, value, remove):
    """Return a copy of nested dicts in which the entry at a path has another value, or none."""
    found = copy.deepcopy(sound)
    inner = found
    for key in path[:-1]:
        inner = inner[key]
    if remove:
        inner.pop(path[-1], None)
    else:
        inner[path[-1]] = value
    return found


def paths(sound, before=()):
    """Return the paths of all entries of nested dicts, and one that is not there for each dict."""
    found = [(*before, "no_such_key")]
    for key, value in sound.items():
        found += [(*before, key), *(paths(value, (*before, key)) if isinstance(value, dict) else [])]
    return found


@fuzz("rows", data=st.lists(VALUES, max_size=3) | VALUES)
def test_rows(data):
    works_or_is_refused(read_rows, data if not isinstance(data, str) else [data])


@fuzz("texts", "tokenizer", prompt=st.text(max_size=60), response=st.text(max_size=20))
def test_texts(prompt, response, tokenizer):
    rows = works_or_is_refused(read_rows, [{"prompt": prompt, "response": response}])
    if rows is not None:
        works_or_is_refused(encode, rows, tokenizer, 64)


@fuzz(
    "row files",
    "tmp_path",
    lines=st.lists(st.binary(max_size=30) | VALUES.map(lambda v: json.dumps(v).encode()), max_size=3),
)
def test_row_files(lines, tmp_path):
    (tmp_path / "rows.jsonl").write_bytes(b"\n".join([json.dumps(ROW).encode(), *lines]))
    works_or_is_refused(read_rows, tmp_path / "rows.jsonl")


RECORD = {
    **{"method": "a", "teacher": None, "student": "b", "task": "c", "seed": 0, "metric": "m", "value": 1.0, "n": 1},
    **{"configuration": {}, "fingerprints": {"data": "x"}, "seconds": 1.0, "interval": [0.0, 2.0], "losses": []},
}


@fuzz("records", path=st.sampled_from(paths(RECORD)), value=VALUES, remove=st.booleans())
def test_records(path, value, remove):
    works_or_is_refused(make_record, **changed(RECORD, path, value, remove))


@fuzz("record files", "tmp_path", content=st.binary(max_size=40) | VALUES.map(lambda value: json.dumps(value).encode()))
def test_record_files(content, tmp_path):
    (tmp_path / "record.json").write_bytes(content)
    works_or_is_refused(read_record, tmp_path / "record.json")


LARGE_PROFILE = {
    **PROFILE,
    "transfer": {"rank": 2},
    "variants": {"mine": {"method": "ridge", "all": {"rank": 2}}},
    "selection": {"semalign": {"rank": [1]}},
    "evaluation": {"limit": 2},
    "teachers": {"other": ["micro_mmlu"]},
    "further_entries": ["sft"],
}


@fuzz("profiles", "tmp_path", path=st.sampled_from(paths(LARGE_PROFILE)), value=VALUES, remove=st.booleans())
def test_profiles(path, value, remove, tmp_path):
    text = yaml.safe_dump(changed(LARGE_PROFILE, path, value, remove), allow_unicode=False)
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8", errors="surrogatepass")
    works_or_is_refused(load_profile, tmp_path / "mine.yaml")


@fuzz(
    "settings",
    name=st.sampled_from(sorted(METHODS)),
    values=st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=5), VALUES, min_size=1, max_size=3),
)
def test_settings(name, values):
    works_or_is_refused(METHODS[name].settings, **values)


@fuzz("tasks", "tmp_path", path=st.sampled_from(paths(TASK)), value=VALUES, remove=st.booleans())
def test_tasks(path, value, remove, tmp_path):
    (tmp_path / "test.jsonl").write_text('{"question": "a?", "answer": 0}\n')
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(changed(TASK, path, value, remove)), errors="surrogatepass")
    works_or_is_refused(task_file, tmp_path / "mine.yaml")


@fuzz("options", texts=st.lists(st.text(max_size=20) | st.sampled_from(FIELDS).map(lambda f: f"{f}=1"), max_size=3))
def test_options(texts):
    found = works_or_is_refused(settings_of, texts)
    if found is not None:
        works_or_is_refused(METHODS["semalign"].settings, **found)


@fuzz("yaml", text=st.text(st.sampled_from(list("[]{}:,-&*!|>'\"%#?@ab01e.~_=<\n\t \ufeff\x00")), max_size=30))
def test_yaml(text):
    works_or_is_refused(parse, text, "here")
