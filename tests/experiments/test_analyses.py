"""The analyses of a profile: which they are, the command that makes each, and when a record is stale."""

import pytest

from semalign.experiments.analyses import Analysis, analyses, missing
from semalign.experiments.profiles import load_profile
from semalign.results.records import read_record, write_record


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
