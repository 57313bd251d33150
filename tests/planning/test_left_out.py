"""Jobs whose needs a plan cannot tell."""

import pytest

from semalign.planning.left_out import UnplannedError, planned


def test_what_cannot_be_told_is_left_out_with_one_line_for_each_reason():
    def fail(reason):
        raise UnplannedError(reason)

    makers = [lambda: 1, lambda: fail("no configuration"), lambda: fail("experts"), lambda: fail("experts"), lambda: 2]
    assert planned(makers) == (
        [1, 2],
        ["left out of the plan (1 job): no configuration", "left out of the plan (2 jobs): experts"],
    )


def test_any_other_error_is_one():
    with pytest.raises(ZeroDivisionError):
        planned([lambda: 1 // 0])
