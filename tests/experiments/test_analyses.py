"""The analyses of a profile: which they are, the command that makes each, and when a record is stale."""

from pathlib import Path

import pytest

from semalign.data.prompts import read_prompts
from semalign.experiments.analyses import Analysis, analyses, missing
from semalign.experiments.inputs import fingerprint_of
from semalign.experiments.profiles import load_profile
from semalign.files import json_fingerprint
from semalign.results.records import make_record, read_record, write_record


def test_a_profile_has_three_analyses_on_the_prompts_of_its_humaneval(tmp_path):
    found = analyses(load_profile("micro"))
    assert [each.file_name for each in found] == [
        "decomposition--micro-teacher.json",
        "decomposition--micro-student.json",
        "cka--micro-teacher--micro-student.json",
    ]
    assert {each.prompts for each in found} == {"micro_humaneval"}
    stem = str(tmp_path / "cka--micro-teacher--micro-student")
    arguments = ["cka", "micro-teacher", "micro-student", "--prompts", "micro_humaneval", "--out", stem]
    assert found[2].command(tmp_path) == arguments


def test_without_a_humaneval_the_first_task_is_read():
    assert {each.prompts for each in analyses(load_profile("small"))} == {"gsm8k"}


@pytest.mark.slow
def test_the_command_makes_a_record_that_is_stale_when_a_model_or_the_prompts_change(profile, tmp_path):
    from helpers.commands import invoke

    folder = tmp_path / "results"
    one = Analysis("decompose", "decomposition", (profile.student,), "micro_gsm8k")
    name = one.file_name.removesuffix(".json")
    assert missing(profile, folder, [name]) == {one: "missing"}
    invoke(*one.command(folder))
    assert missing(profile, folder, [name]) == {}
    record = read_record(folder / one.file_name)
    for key in ("student", "data"):
        other = {**record["fingerprints"], key: "another"}
        write_record(folder / one.file_name, {**record, "fingerprints": other})
        assert missing(profile, folder, [name]) == {one: f"stale: other {key}"}


@pytest.mark.parametrize(
    ("made", "why"),
    [
        ({}, None),
        ({"configuration": {"prompts": 8}}, None),  # from before there were options
        ({"configuration": {"interface": "mlp", "pooling": "tokens"}}, "stale: other interface"),
        ({"configuration": {"interface": "layer", "block": 64}}, "stale: other block"),
        ({"seed": 1}, "stale: other seed"),
        ({"adapter": "another"}, "stale: other transferred"),
    ],
)
def test_a_record_of_other_options_at_the_usual_place_is_stale(profile, tmp_path, made, why):
    one = next(each for each in analyses(profile) if each.verb == "cka")
    models = dict(zip(("teacher", "student"), map(fingerprint_of, one.models), strict=True))
    data = json_fingerprint(read_prompts(one.prompts))
    record = make_record(
        method="cka", teacher="teacher", student="student", task=one.prompts, seed=made.get("seed", 0),
        metric="share", value=1.0, n=8, seconds=1.0, details={},
        configuration=made.get("configuration", {"interface": "layer", "pooling": "tokens", "block": 256}),
        fingerprints={**models, "transferred": made.get("adapter"), "data": data},
    )  # fmt: skip
    write_record(tmp_path / one.file_name, record)
    assert missing(profile, tmp_path, [Path(one.file_name).stem]) == ({} if why is None else {one: why})
