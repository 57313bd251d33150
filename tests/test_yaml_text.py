"""YAML from users: what is read, and what is refused in one line."""

import pytest

from semalign.yaml_text import LARGEST, parse, read_mapping


def test_values_are_those_of_yaml():
    assert parse("a: &rate {x: [1, 2.5]}\nb: *rate\n'1': null", "it") == {
        "a": {"x": [1, 2.5]},
        "b": {"x": [1, 2.5]},
        "1": None,
    }
    assert parse("", "it") is None
    assert parse("{base: &b {x: 1}, more: {<<: *b, y: 2}}", "it")["more"] == {"x": 1, "y": 2}
    assert parse("{1: a, '1': b}", "it") == {1: "a", "1": "b"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("010", 10), ("08", 8), ("-007", -7), ("+0", 0), ("0", 0), ("1_000", 1000), ("0x1f", 31), ("0b11", 3),
        ("0o17", 15), ("1:30", "1:30"), ("0.5", 0.5), ("1e3", "1e3"), ("'010'", "010"), ("!!int 010", 10),
    ],
)  # fmt: skip
def test_a_number_with_zeros_in_front_is_no_octal_one(text, value):
    """YAML 1.1 reads 010 as eight, without a word: a seed or a layer would be another one."""
    found = parse(text, "it")
    assert found == value and type(found) is type(value)


def test_the_keys_of_a_map_are_decimal_too(tmp_path):
    (tmp_path / "map.yaml").write_text("1: 010\n011: 2\n")
    assert read_mapping(tmp_path / "map.yaml") == {1: 10, 11: 2}


BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n" for old, new in zip("abcdef", "bcdefg", strict=True)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1", "expected ',' or ']'"),
        ("a:\tb\n\tc: d", "character '\\t' that cannot start any token (line 1, column 3)"),
        ("a: 1\nb: 2\na: 3", "has the key 'a' twice"),
        ("x: {a: 1, a: 1}", "has the key 'a' twice"),
        ("a: !!python/object/apply:os.system [x]", "could not determine a constructor"),
        ("2026-13-45", "month must be in 1..12"),
        ("!!bool perhaps", "KeyError: 'perhaps'"),
        ("!!timestamp soon", "AttributeError"),
        ("{[a]: b}", "unhashable key"),
        ("&a [*a]", "one of its anchors holds itself"),
        (BOMB, f"repeat to more than {LARGEST} values"),
        ("[" * 1500, "RecursionError"),
        ("9" * 5000, "digits"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(text, message):
    with pytest.raises(ValueError, match=r"^here is not YAML that can be read: ") as raised:
        parse(text, "here")
    assert message in str(raised.value) and "\n" not in str(raised.value)


def test_a_file_holds_keys_and_values(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read_mapping(path) == {"a": 1}
    path.write_bytes(b"a: \xe9\n")
    with pytest.raises(ValueError, match=r"a\.yaml is not UTF-8 text"):
        read_mapping(path)
    for text in ("- 1\n", "", "word\n"):
        path.write_text(text)
        with pytest.raises(ValueError, match=r"a\.yaml must hold keys and values"):
            read_mapping(path)


def test_what_was_read_may_be_changed(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("a: {b: [1]}\n")
    read_mapping(path)["a"]["b"].append(2)
    assert read_mapping(path) == {"a": {"b": [1]}}
