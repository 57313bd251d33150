"""Items from lm-eval's log, their groups and intervals."""

import pytest
from helpers.data import MMLU, write, write_task

from semalign.data.tasks import load_task
from semalign.evaluation.items import group_means, interval, item_samples, scores_of
from semalign.results.statistics import bootstrap_interval, wilson_interval


def logged(doc_id, extraction, extracted, score, **more):
    return {
        "doc_id": doc_id, "doc": {}, "target": "3", "arguments": [(f"prompt {doc_id}", {})], "filter": extraction,
        "resps": [[f"says {doc_id}"]], "filtered_resps": [extracted], "metrics": ["exact_match"], "exact_match": score,
        **more,
    }  # fmt: skip


def test_an_item_has_the_primary_extraction_and_the_scores_of_all(data):
    data("gsm8k", [{"question": "?", "answer": "#### 3"}])
    log = [
        logged(0, "strict", "[invalid]", 0.0),
        logged(1, "strict", "3", 1.0),
        logged(0, "flexible", ["3"], 1.0),
        logged(1, "flexible", ["4"], 0.0),
    ]
    assert item_samples(load_task("micro_gsm8k", "test"), log) == [
        {
            "doc_id": 0, "prompt": "prompt 0", "target": "3", "generation": "says 0", "extracted": "[invalid]",
            "correct": False, "scores": {"exact_match,strict": 0.0, "exact_match,flexible": 1.0},
        },
        {
            "doc_id": 1, "prompt": "prompt 1", "target": "3", "generation": "says 1", "extracted": "3",
            "correct": True, "scores": {"exact_match,strict": 1.0, "exact_match,flexible": 0.0},
        },
    ]  # fmt: skip


def test_of_several_generations_the_share_that_is_right_is_kept(data):
    data("gsm8k", [{"question": "?", "answer": "#### 3"}])
    entry = logged(0, "strict", ["3", "4", "3", "3"], 0.75, resps=[["a", "b", "c", "d"]])
    (sample,) = item_samples(load_task("micro_gsm8k", "test"), [entry])
    assert (sample["generation"], sample["extracted"]) == (["a", "b", "c", "d"], ["3", "4", "3", "3"])
    assert sample["correct"] == 0.75


def test_an_item_may_have_some_of_the_points_and_must_have_one_number(data):
    data("gsm8k", [{"question": "?", "answer": "#### 3"}])
    task = load_task("micro_gsm8k", "test")
    samples = item_samples(task, [logged(i, "strict", "3", score) for i, score in enumerate((0.25, 1, 0))])
    assert [sample["correct"] for sample in samples] == [0.25, True, False]
    assert interval([sample["correct"] for sample in samples]) == bootstrap_interval([0.25, 1, 0])[1:]
    with pytest.raises(ValueError, match=r"^item 0: exact_match must be one number, it is \('3', 'x'\)$"):
        item_samples(task, [logged(0, "strict", "3", ("3", "x"))])


def test_a_choice_is_the_likeliest_answer_and_has_its_group(root):
    write(root, "cais/mmlu/all/test", [MMLU])
    likelihoods = [(-3.0, False), (-1.0, True), (-2.0, False), (-4.0, False)]
    entry = logged(
        0, "none", None, None, doc={"subject": "maps"}, filtered_resps=likelihoods, metrics=["acc"], acc=0.0
    )  # fmt: skip
    (sample,) = item_samples(load_task("mmlu", "test"), [entry])
    assert (sample["choice"], sample["log_likelihoods"]) == (1, [-3.0, -1.0, -2.0, -4.0])
    assert sample["group"] == "maps"
    assert sample["correct"] is False and sample["scores"] == {"acc,none": 0.0}


@pytest.mark.parametrize(
    ("metric", "choices", "likelihoods", "choice"),
    [
        ("acc", ["no", "a long answer"], (-3.0, -4.0), 0),
        ("acc_norm", ["no", "a long answer"], (-3.0, -4.0), 1),
        ("acc_bytes", ["no", "a long answer"], (-3.0, -4.0), 1),
        ("acc_norm", ["字", "ab"], (-2.4, -2.0), 1),  # for each character -2.4 and -1
        ("acc_bytes", ["字", "ab"], (-2.4, -2.0), 0),  # for each byte -0.8 and -1
    ],
)
def test_a_choice_is_the_one_that_its_score_is_of(tmp_path, metric, choices, likelihoods, choice):
    item = {"question": "?", "choices": choices, "answer": choice}
    path = write_task(
        tmp_path, [item], output_type="multiple_choice", generation_kwargs=None, doc_to_choice="choices",
        metric_list=[{"metric": metric, "aggregation": "mean"}], metadata={"version": 1, "primary": f"{metric},none"},
    )  # fmt: skip
    task, given = load_task(path, "test"), [(value, False) for value in likelihoods]
    scored = task.process_results(item, given)
    entry = logged(0, "none", None, None, doc=item, metrics=[metric], filtered_resps=given, **scored)
    (sample,) = item_samples(task, [entry])
    assert (sample["choice"], sample["correct"]) == (choice, True)


def test_the_name_of_an_extraction_may_have_commas(tmp_path):
    path = write_task(
        tmp_path, [{"question": "?", "answer": "3"}],
        filter_list=[{"name": name, "filter": [{"function": "take_first"}]} for name in ("strict,v2", "strict")],
        metadata={"version": 1, "primary": "exact_match,strict,v2", "group_by": "question"},
    )  # fmt: skip
    task, group = load_task(path, "test"), {"doc": {"question": "?"}}
    log = [logged(0, "strict,v2", "3", 1.0, **group), logged(0, "strict", "4", 0.0, **group)]
    (sample,) = samples = item_samples(task, log)
    assert (sample["extracted"], sample["correct"]) == ("3", True)
    found = scores_of(task, {"exact_match,strict,v2": 1.0, "exact_match,strict": 0.0, "alias": "sums"}, samples)
    assert found["value"] == 100
    assert found["scores"] == {
        "exact_match,strict,v2": 100, "exact_match,strict": 0, "exact_match_macro,strict,v2": 100
    }  # fmt: skip


def test_log_likelihoods_that_are_nan_choose_nothing(root):
    write(root, "cais/mmlu/all/test", [MMLU])
    entry = logged(
        4, "none", None, None, doc={"subject": "maps"}, filtered_resps=[(float("nan"), False)] * 4, metrics=["acc"],
        acc=0.0,
    )  # fmt: skip
    with pytest.raises(ValueError, match=r"^item 4: the model's log-likelihoods are NaN: use a wider dtype$"):
        item_samples(load_task("mmlu", "test"), [entry])


def test_group_means_by_hand():
    right = {"maps": [True, False, False, True], "law": [0.5, 0.25]}
    samples = [{"group": group, "correct": each} for group, values in right.items() for each in values]
    assert group_means(samples) == {"maps": 50, "law": 37.5}
    assert list(group_means(samples[::-1])) == ["law", "maps"]
    assert group_means([{"correct": True}]) == {}


def test_right_and_wrong_items_have_wilsons_interval_and_shares_the_bootstraps():
    assert interval([True, False, True]) == pytest.approx(wilson_interval(2, 3))
    shares = [0.5, 0.0, 0.25, 1.0] * 5
    assert interval(shares) == bootstrap_interval(shares)[1:]
    assert interval([1.0, 0.0] * 10) == bootstrap_interval([1.0, 0.0] * 10)[1:]


def test_scores_that_are_all_alike_have_an_interval_too():
    assert interval([0.0] * 164) == pytest.approx(wilson_interval(0, 164))
    assert interval([1.0] * 9) == pytest.approx(wilson_interval(9, 9))
    assert interval([0.5, 0.0] * 30)[0] > 0
