from semalign.sandbox.inside.operators import ACTING, BINARY, EQUALITY, ORDER, OVERRIDDEN, READING, SPECIAL


def test_groups_do_not_overlap_and_are_all_special():
    groups = [ACTING, BINARY, EQUALITY, ORDER, READING]
    assert sum(map(len, groups)) == len(frozenset().union(*groups))
    assert SPECIAL - frozenset().union(*groups) == {"__call__", "__contains__", "__exit__", "__aexit__"}


def test_each_operator_has_its_three_forms():
    assert {"__add__", "__radd__", "__iadd__", "__matmul__"} < BINARY and len(BINARY) == 42
    assert all(hasattr(int, name) for name in ORDER | EQUALITY | {"__rsub__", "__divmod__", "__abs__"})


def test_what_would_get_the_expected_value_is_not_overridden():
    assert not {"count", "index", "issubset", "issuperset", "startswith", "difference", "isdisjoint"} & OVERRIDDEN
