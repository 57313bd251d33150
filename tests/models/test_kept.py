"""A result is computed once, and again if what is kept is damaged."""

from semalign.models.kept import computed_once


def test_what_is_kept_is_not_computed_again(tmp_path, caplog):
    path, calls = tmp_path / "scores.json", []

    def compute():
        calls.append(1)
        return [1.5, None]

    assert computed_once(path, compute) == computed_once(path, compute) == [1.5, None]
    assert len(calls) == 1
    path.write_text(path.read_text().replace("1.5", "2.5"))
    assert computed_once(path, compute) == [1.5, None]
    assert len(calls) == 2 and "is damaged" in caplog.text
