"""Parts that fit the memory: as wanted where it is plentiful, fewer by the estimate, halves after an error."""

import math

import pytest
import torch

from semalign.models import batching
from semalign.models.architecture import Architecture
from semalign.models.batching import FittingParts
from semalign.models.memory import TooLargeError


@pytest.fixture
def architecture(student):
    return Architecture(student.model)


def test_parts_are_as_wanted_where_memory_is_plentiful(architecture):
    parts = FittingParts(architecture, 3)
    assert list(parts.split("abcdefg", range(1, 8))) == ["abc", "def", "g"]
    assert list(FittingParts(architecture).split(range(5), [1] * 5)) == [range(5)]
    assert list(parts.split([], [])) == []
    assert list(parts.results(len, "abcd", [1] * 4)) == [3, 1]


def test_a_part_ends_before_its_padded_tokens_would_not_fit(architecture, monkeypatch):
    parts = FittingParts(architecture, 8)
    free = parts.bytes_of(3, 10) / batching.SHARE + 1
    monkeypatch.setattr(batching, "free_bytes", lambda model: free)
    lengths = [10, 10, 10, 10, 2, 2, 40, 1]
    assert list(parts.split(lengths, lengths)) == [[10, 10, 10], [10, 2, 2], [40], [1]]
    assert parts.size == 8  # nothing failed


def test_the_estimate_grows_with_what_is_kept(architecture, monkeypatch):
    forward = FittingParts(architecture).bytes_of(2, 10)
    assert FittingParts(architecture).bytes_of(4, 10) == 2 * forward
    assert FittingParts(architecture).bytes_of(2, 20) > 2 * forward  # attention weights
    assert FittingParts(architecture, kept_layers=3).bytes_of(2, 10) == 4 * forward
    assert FittingParts(architecture, kept_states=5).bytes_of(2, 10) == forward + 2 * 10 * 5 * architecture.width * 8
    vocabulary = len(architecture.head_weight)
    assert FittingParts(architecture, logits=True).bytes_of(2, 10) == forward + 2 * 10 * 12 * vocabulary
    monkeypatch.setattr(batching, "LOGITS_AT_ONCE", 100)  # a part of the positions
    assert FittingParts(architecture, logits=True).bytes_of(2, 10) == forward + 12 * 100


def test_a_part_ends_before_it_holds_too_much_padding(architecture):
    parts = FittingParts(architecture, padding=3.0)
    assert list(parts.split("abcdef", [5, 4, 3, 6, 9, 9])) == ["abc", "def"]  # 0 + 1 + 2, and 3 + 0 + 0


def test_items_of_similar_length_share_a_part_and_stay_in_order_where_one_will_do(architecture):
    assert FittingParts(architecture, padding=2.0).by_length("abcd", [9, 2, 8, 1]) == [["d", "b"], ["c", "a"]]
    assert FittingParts(architecture, padding=99.0).by_length("abcd", [9, 2, 8, 1]) == ["abcd"]
    assert FittingParts(architecture, 3).by_length("abcd", [9, 2, 8, 1]) == [["d", "b", "c"], ["a"]]
    assert FittingParts(architecture).by_length([], []) == []


def test_the_memory_is_asked_for_once_a_batch(architecture, monkeypatch):
    asked = []
    monkeypatch.setattr(batching, "free_bytes", lambda model: asked.append(model) or 2**40)
    assert len(list(FittingParts(architecture, 1).split("abcd", [1] * 4))) == 4 and len(asked) == 1


def failing_above(most, seen):
    def compute(part):
        seen.append(list(part))
        if len(part) > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return sum(part)

    return compute


def test_a_part_that_does_not_fit_is_halved_for_good(architecture, caplog):
    seen, parts = [], FittingParts(architecture, 8)
    found = list(parts.results(failing_above(3, seen), range(10), [5] * 10))
    assert found == [0 + 1, 2 + 3, 4 + 5, 6 + 7, 8 + 9]
    assert [len(part) for part in seen] == [8, 4, 2, 2, 2, 2, 2] and parts.size == 2
    assert caplog.text.count("do not fit the memory") == 2 and "8 examples at once" in caplog.text
    assert list(parts.results(failing_above(3, seen), range(2), [5] * 2)) == [1]


def test_the_halves_are_those_of_what_was_tried(architecture):
    parts = FittingParts(architecture, 64)
    list(parts.results(failing_above(2, []), range(5), [5] * 5))
    assert parts.size == 2  # 5, then 2, not 32, 16, 8 and 4


def test_one_item_that_does_not_fit_is_told_in_one_line(architecture):
    with pytest.raises(TooLargeError, match=r"^one example of 7 tokens does not fit the memory of .* on cpu: use"):
        list(FittingParts(architecture, 4).results(failing_above(0, []), range(4), [7] * 4))


def test_other_errors_stay_what_they_are(architecture):
    with pytest.raises(ZeroDivisionError):
        list(FittingParts(architecture, 4).results(lambda part: 1 / 0, range(4), [7] * 4))


def test_an_attempt_that_failed_is_undone_and_its_tensors_are_gone(architecture):
    import weakref

    parts, kept, undone = FittingParts(architecture, 4), [], []

    def compute():
        list(parts.split(range(4), [5] * 4))
        tensor = torch.zeros(3)
        kept.append(weakref.ref(tensor))
        if parts.size > 1:
            raise MemoryError
        return parts.size

    assert parts.retried(compute, lambda: undone.append([each() for each in kept])) == 1
    assert undone == [[None], [None, None]]


def test_parts_hold_similar_lengths_and_the_longest_comes_first(architecture):
    lengths = [3, 12, 4, 10, 8, 5, 4, 4]
    parts = list(FittingParts(architecture, 4, padding=5.0).results(list, lengths, lengths))
    # 12 and 10 are padded by 2, and 8 would be by 4 more; 8 and 5 are by 3, and 4 would be by 4 more; 3 is by 3.
    assert parts == [[12, 10], [8, 5], [4, 4, 4, 3]]


def test_a_pass_and_a_batch_that_is_sorted_hold_the_same_padding(architecture, monkeypatch):
    """One rule, whoever asks: at most so many tokens of padding in a part, by default a fixed number."""
    monkeypatch.setattr(batching, "free_bytes", lambda model: 2**50)
    lengths = [40 * n for n in range(1, 13)]
    descending = lengths[::-1]
    parts = list(FittingParts(architecture).results(list, lengths, lengths))
    assert parts == list(FittingParts(architecture).split(descending, descending))
    assert [sum(part[0] - length for length in part) for part in parts] == [240, 240, 240]
    whole = FittingParts(architecture, padding=math.inf)
    assert list(whole.results(list, lengths, lengths)) == [descending]


def test_what_is_computed_for_each_item_has_its_place(architecture):
    lengths, numbers = [3, 12, 4, 12, 8], FittingParts(architecture, 2)
    assert numbers.each(lambda part: [10 * i for i in part], range(5), lengths) == [0, 10, 20, 30, 40]
    assert FittingParts(architecture, 2).each(list, [], []) == []
    halved = FittingParts(architecture, 4)
    fails = failing_above(2, [])
    assert halved.each(lambda part: [fails(part)] and part, range(5), lengths) == list(range(5)) and halved.size == 2
