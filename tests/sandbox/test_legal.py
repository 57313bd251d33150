"""Legal programs get the verdict of a plain runner; those that answer with objects in place of answers never pass."""

import pytest
from helpers import hostile_objects, legal_programs

from semalign.sandbox import SandboxError, run_many, sandbox_mode

pytestmark = pytest.mark.slow
# Without namespaces a program has no folder of its own to write in.
NEEDS_BUBBLEWRAP = {"files"}


def run(cases):
    try:
        mode = sandbox_mode("bubblewrap")
    except SandboxError as error:
        pytest.skip(str(error).splitlines()[0])
    return run_many(cases, mode=mode)


@pytest.fixture(scope="module")
def outcomes():
    right = [(case.program, case.tests) for case in legal_programs.ALL]
    wrong = [(case.wrong_program, case.tests) for case in legal_programs.ALL]
    found = run(right + wrong)
    return dict(
        zip([case.name for case in legal_programs.ALL], zip(found, found[len(right) :], strict=False), strict=True)
    )


@pytest.fixture(scope="module")
def outcomes_with_limits_only():
    cases = [(case.program, case.tests) for case in legal_programs.ALL]
    return dict(zip([case.name for case in legal_programs.ALL], run_many(cases, mode="limits"), strict=True))


@pytest.fixture(scope="module")
def hostile():
    found = run([(case.program, case.tests) for case in hostile_objects.ALL])
    return dict(zip(hostile_objects.ALL, found, strict=True))


def test_the_table_is_long_and_names_are_unique():
    assert len({case.name for case in legal_programs.ALL}) == len(legal_programs.ALL) > 100


@pytest.mark.parametrize("case", legal_programs.ALL, ids=lambda case: case.name)
def test_the_verdict_is_that_of_one_process(outcomes, case):
    right, wrong = outcomes[case.name]
    assert right.passed and not legal_programs.plain_error(case.program, case.tests), right
    assert not wrong.passed and legal_programs.plain_error(case.wrong_program, case.tests), wrong


@pytest.mark.parametrize("case", legal_programs.ALL, ids=lambda case: case.name)
def test_they_pass_with_limits_only(outcomes_with_limits_only, case):
    assert outcomes_with_limits_only[case.name].passed or case.name in NEEDS_BUBBLEWRAP


@pytest.mark.parametrize("case", hostile_objects.ALL, ids=lambda case: case.name)
def test_no_object_passes_for_an_answer(hostile, case):
    assert not hostile[case].passed
