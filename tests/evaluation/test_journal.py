"""Kept answers: a killed evaluation asks only what it has not asked, and its result is that of an undisturbed one."""

import gzip
import json

import pytest
from helpers.damage import damaged
from helpers.scripted import GSM8K, script
from lm_eval.api.instance import Instance
from lm_eval.api.model import LM

from semalign.data import tasks as benchmarks
from semalign.evaluation.decoding import Decoder
from semalign.evaluation.journal import Journal, Resumed, read_lines, write_lines
from semalign.evaluation.record import score_record
from semalign.evaluation.run import evaluate
from semalign.results.records import write_record


class KilledError(Exception):
    pass


@pytest.fixture
def counted(monkeypatch):
    """Return the prompts that were answered, by number, and let the run be killed after so many."""
    seen, kill = [], []
    answers = Decoder.answers

    def counting(self, prompts):
        for answer in answers(self, prompts):
            if kill and len(seen) == kill[0]:
                raise KilledError
            seen.append(answer.prompt)
            yield answer

    monkeypatch.setattr(Decoder, "answers", counting)
    return seen, kill


@pytest.mark.slow
def test_a_killed_evaluation_goes_on(model, data, counted, tmp_path):
    seen, kill = counted
    data("gsm8k", [{**GSM8K, "question": "?" * i} for i in range(1, 8)])
    whole = evaluate(model, "micro_gsm8k", batch_size=2)
    assert sorted(seen) == list(range(7))
    seen.clear()
    kill.append(4)
    record = tmp_path / "run" / "gsm8k.json"
    with pytest.raises(KilledError):
        evaluate(model, "micro_gsm8k", batch_size=2, record_path=record)
    answers, samples = (record.with_name(f"gsm8k.{what}.jsonl.gz") for what in ("answers", "samples"))
    assert len(list(read_lines(answers))) == 1 + 4 and not samples.exists()
    answers.write_bytes(answers.read_bytes()[:-9])  # as a killed process may leave it
    seen.clear()
    kill.clear()
    resumed = evaluate(model, "micro_gsm8k", batch_size=2, record_path=record)
    assert len(seen) in (3, 4)  # the answer that was cut may be asked again
    assert resumed.samples == whole.samples and resumed.scores == whole.scores
    assert list(read_lines(samples)) == whole.samples
    write_record(record, score_record(model, resumed))
    assert record.is_file() and not answers.exists()


def test_a_kill_before_the_record_loses_nothing(model, data, counted, tmp_path):
    seen, _ = counted
    data("gsm8k", [{**GSM8K, "question": "?" * i} for i in range(1, 4)])
    first = evaluate(model, "micro_gsm8k", batch_size=2, record_path=tmp_path / "a.json")
    seen.clear()
    assert evaluate(model, "micro_gsm8k", batch_size=2, record_path=tmp_path / "a.json").samples == first.samples
    assert seen == []


def test_multiple_choice_goes_on_too(model, data, tmp_path, monkeypatch):
    row = {"question": "Which?", "subject": "maps", "choices": ["a", "b", "c", "d"], "answer": 2}
    data("mmlu", [{**row, "question": "?" * i} for i in range(1, 7)])
    whole = evaluate(model, "micro_mmlu", batch_size=2)
    forward, calls = model.model.forward, []

    def dying(ids, **settings):
        calls.append(len(ids))
        if len(calls) == 3:
            raise KilledError
        return forward(ids, **settings)

    monkeypatch.setattr("semalign.evaluation.transformers_engine.chooses_logits", lambda model: True)
    monkeypatch.setattr(model.model, "forward", dying)
    with pytest.raises(KilledError):
        evaluate(model, "micro_mmlu", batch_size=2, record_path=tmp_path / "a.json")
    calls[:] = [0] * 10
    resumed = evaluate(model, "micro_mmlu", batch_size=2, record_path=tmp_path / "a.json")
    assert calls[10:] == [2]
    assert resumed.samples == whole.samples


def test_the_samples_hold_every_prompt_and_generation(model, data, tmp_path):
    data("gsm8k", [{**GSM8K, "question": f"{i}?"} for i in range(3)])
    prompts = [row["prompt"] for row in benchmarks.rows("micro_gsm8k", "test")]
    script(model, dict(zip(prompts, [" #### 3", " so 3", " ####"], strict=True)))
    evaluate(model, "micro_gsm8k", record_path=tmp_path / "a.b.json")
    found = list(read_lines(tmp_path / "a.b.samples.jsonl.gz"))
    assert [(row["prompt"], row["generation"], row["correct"]) for row in found] == [
        (prompts[0], " #### 3", True),
        (prompts[1], " so 3", False),
        (prompts[2], " ####", False),
    ]
    assert [row["scores"]["exact_match,flexible"] for row in found] == [1, 1, 0]


def test_answers_to_another_model_are_not_used(model, data, counted, tmp_path, caplog):
    seen, kill = counted
    data("gsm8k", [{**GSM8K, "question": "?" * i} for i in range(1, 4)])
    kill.append(1)
    with pytest.raises(KilledError):
        evaluate(model, "micro_gsm8k", batch_size=2, record_path=tmp_path / "a.json")
    model.model.lm_head.weight.data[5] += 1
    seen.clear()
    kill.clear()
    evaluate(model, "micro_gsm8k", batch_size=2, record_path=tmp_path / "a.json")
    assert len(seen) == 3
    assert "starting anew" in caplog.text


class Engine(LM):
    """Answers by counting."""

    loglikelihood = loglikelihood_rolling = None

    def __init__(self):
        super().__init__()
        self.asked = []

    def generate_until(self, requests):
        for request in requests:
            self.asked.append(request.args[0])
            self.cache_hook.add_partial("generate_until", request.args, f"{request.args[0]}{len(self.asked)}")
        return [f"{text}{number}" for number, text in enumerate(self.asked, start=1)][-len(requests) :]


class Stops(Engine):
    """Answers so many requests and is killed."""

    def __init__(self, after):
        super().__init__()
        self.after = after

    def generate_until(self, requests):
        super().generate_until(requests[: self.after])
        raise KeyboardInterrupt


def ask(path, texts, identity="me"):
    engine = Engine()
    journal = Journal(path, {"model": identity})
    answers = Resumed(engine, journal).generate_until(
        [Instance("generate_until", {}, (text, {"until": []}), 0) for text in texts]
    )
    journal.close()
    return engine.asked, answers


def test_several_samples_of_a_prompt_are_kept_apart_and_in_order(tmp_path):
    path = tmp_path / "a.gz"
    assert ask(path, ["p", "p", "q", "q"]) == (["p", "p", "q", "q"], ["p1", "p2", "q3", "q4"])
    assert ask(path, ["q", "p", "q", "p"]) == ([], ["q3", "p1", "q4", "p2"])


def test_a_prompt_that_lacks_a_sample_is_asked_for_all(tmp_path):
    """The same seed would draw the same samples again: half of them would stand twice."""
    path = tmp_path / "a.gz"
    ask(path, ["p", "p", "q"])
    assert ask(path, ["p", "p", "q", "q"]) == (["q", "q"], ["p1", "p2", "q1", "q2"])
    assert ask(path, ["p", "p", "q", "q"]) == ([], ["p1", "p2", "q1", "q2"])


def test_samples_of_two_runs_that_were_killed_are_not_mixed(tmp_path):
    path = tmp_path / "a.gz"
    ask(path, ["p", "p"])
    dying = Resumed(Stops(after=1), Journal(path, {"model": "me"}))
    with pytest.raises(KeyboardInterrupt):
        dying.generate_until([Instance("generate_until", {}, ("p", {"until": []}), 0)] * 3)
    assert ask(path, ["p"] * 3) == (["p"] * 3, ["p1", "p2", "p3"])


TEXTS = ["p", "q", "q", "r", "a long text, a long text, ä"]


@pytest.mark.parametrize("closed", [True, False])
def test_no_damage_of_any_byte_gives_another_answer(tmp_path, closed):
    path, engine = tmp_path / "a.gz", Engine()
    journal = Journal(path, {"model": "me"})
    Resumed(engine, journal).generate_until([Instance("generate_until", {}, (t, {"until": []}), 0) for t in TEXTS])
    answers = {key: list(given) for key, given in journal.kept.items()}
    if closed:
        journal.close()
        Journal(path, {"model": "me"}).close()  # which writes all answers in one part, with its checksum
    content, lost = path.read_bytes(), 0
    for what in damaged(path, step=3):
        again = Journal(path, {"model": "me"})
        for key, given in again.kept.items():
            assert given == answers[key][: len(given)], what
        lost += again.kept != answers
        again.close()
    assert lost > 50
    path.write_bytes(content)
    assert ask(path, TEXTS) == ([], ["p1", "q2", "q3", "r4", f"{TEXTS[4]}5"])


def test_a_changed_answer_under_a_sound_compression_is_asked_again(tmp_path, caplog):
    path = tmp_path / "a.gz"
    ask(path, ["p", "q", "r"])
    lines = list(read_lines(path))
    lines[2]["content"]["answer"] = "q9"
    write_lines(path, lines)
    assert ask(path, ["p", "q", "r"]) == (["q", "r"], ["p1", "q1", "r2"])
    assert f"{path} is damaged: what follows answer 1 is asked again" in caplog.text
    for content in ("[1]", '"x"', "null", "7", json.dumps({"content": {"model": "me"}})):
        path.write_bytes(gzip.compress(f"{content}\n".encode()))
        assert ask(path, ["p"])[0] == ["p"]


def test_a_file_of_another_kind_is_no_journal(tmp_path, caplog):
    path = tmp_path / "a.gz"
    for content in (b"", b"no gzip", b"\x1f\x8b", gzip.compress(b"\xff\xfe\n"), gzip.compress(b"{}\n[")):
        caplog.clear()
        path.write_bytes(content)
        assert ask(path, ["p"]) == (["p"], ["p1"])
        assert str(path) in caplog.text or content in (b"", b"\x1f\x8b")


def test_answers_of_another_version_of_a_library_are_not_used(model, data, counted, tmp_path, monkeypatch):
    seen, _ = counted
    data("gsm8k", [{**GSM8K, "question": "?" * i} for i in range(1, 3)])
    for state_version in (1, 2):
        monkeypatch.setattr("semalign.models.identity.STATE_VERSION", state_version)
        evaluate(model, "micro_gsm8k", batch_size=2, record_path=tmp_path / "a.json")
    assert sorted(seen) == [0, 0, 1, 1]


def test_a_file_that_is_cut_anywhere_is_read_as_far_as_it_goes(tmp_path):
    path = tmp_path / "a.gz"
    rows = [{"n": i, "text": "ä" * i} for i in range(30)]
    write_lines(path, rows)
    assert list(read_lines(path)) == rows
    content = path.read_bytes()
    for length in range(0, len(content), 3):
        path.write_bytes(content[:length])
        found = list(read_lines(path))
        assert found == rows[: len(found)]


def test_equal_rows_give_equal_files(tmp_path):
    for name in ("a", "b"):
        write_lines(tmp_path / name, [{"x": 1}])
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert json.loads(gzip.decompress((tmp_path / "a").read_bytes())) == {"x": 1}
