"""The ledger: its form, its expansion over profiles, and texts whose numbers come from the records."""

from pathlib import Path

import pytest
import yaml
from helpers.claims import put

from semalign.book.claims.ledger import Claim, Test, grouped, read_ledger
from semalign.book.claims.rules import RULES
from semalign.book.claims.verdicts import Finding

ROOT = Path(__file__).parents[3]
TEST = {
    "subject": "Profile {profile}", "rule": "cost_ratio", "records": ["cost/*.json"], "text": "{ratio:.1f} times",
    "given": {"theirs": "sft", "mark": 1.0, "partly": 2.0}, "command": "make cost",
}  # fmt: skip
CLAIM = {
    "number": 1, "claim": "It is cheap", "section": "Section 1", "paper": "no number", "test": "Seconds.",
    "chapter": "notebooks/09_controls", "tests": [TEST],
}  # fmt: skip


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMALIGN_ROOT", str(tmp_path))
    return tmp_path


def make_record(root, profile):
    """Make a file where the records of a profile are; an empty folder says nothing."""
    folder = root / "data" / "results" / profile
    folder.mkdir(parents=True)
    (folder / "some.json").write_text("{}")


def write(root, *claims):
    (root / "data").mkdir(exist_ok=True)
    content = {"groups": [{"group": "Costs", "claims": list(claims)}]}
    (root / "data" / "claims.yaml").write_text(yaml.safe_dump(content))


def test_verdict_and_text_follow_the_records(root):
    (test,) = Claim.model_validate(CLAIM).all_tests
    assert test.told == "not run (no record cost/*.json): `make cost`" and test.finding.verdict == "not run"
    put(root, "cost/sft.json", method="sft", seconds=10.0)
    for seconds, verdict, text in ((9.0, "reproduced", "0.9 times"), (30.0, "not reproduced", "3.0 times")):
        put(root, "cost/semalign.json", seconds=seconds)
        claim = Claim.model_validate(CLAIM)
        assert (claim.verdict, claim.all_tests[0].told) == (verdict, text)


@pytest.mark.slow
def test_findings_of_several_processes_are_kept(root):
    write(root, CLAIM, {**CLAIM, "number": 2, "tests": [{**TEST, "records": ["none/*.json"]}]})
    put(root, "cost/sft.json", method="sft", seconds=10.0)
    put(root, "cost/semalign.json", seconds=9.0)
    ledger = read_ledger()
    ledger.evaluate()
    (root / "data" / "results" / "cost" / "sft.json").unlink()  # too late to matter
    assert [claim.verdict for claim in ledger.claims] == ["reproduced", "not run"]
    assert [claim.verdict for claim in read_ledger().claims] == ["not run", "not run"]


def test_tests_that_read_the_records_of_one_profile_are_evaluated_together():
    def given(profile, records):
        return Test.model_validate({**TEST, "records": records, "given": {"profile": profile} if profile else {}})

    tests = [given(None, ["cost/*"]), given("b", ["b/*"]), given("a", []), given("b", ["b/x--*"]), given("a", [])]
    assert grouped(tests) == [[tests[1], tests[3]], [tests[0]], [tests[2]], [tests[4]]]


def test_a_test_runs_for_each_of_its_profiles_that_has_records(root):
    for name in ("micro-tuned", "sibling"):
        make_record(root, name)
    (root / "data" / "results" / "later").mkdir()
    test = {**TEST, "records": ["{profile}/*"], "given": {"profile": ["micro-tuned", "later", "sibling"]}}
    first, second = Claim.model_validate({**CLAIM, "tests": [test]}).all_tests
    assert (first.subject, first.records, first.given) == (
        "Profile micro-tuned",
        ["micro-tuned/*"],
        {"profile": "micro-tuned"},
    )
    assert (second.subject, second.records, second.given) == ("Profile sibling", ["sibling/*"], {"profile": "sibling"})
    (only,) = Claim.model_validate({**CLAIM, "tests": [{**test, "given": {"profile": ["later", "last"]}}]}).all_tests
    assert only.given == {"profile": "later"}


def test_a_profile_may_call_entries_otherwise_or_have_none_of_them(root):
    make_record(root, "micro")
    given = {"profile": {"micro-tuned": {}, "micro": {"sft": "sft-literal", "random": None}}, "theirs": "sft",
             "others": ["sft", "random"], "mark": 1.0, "tasks": ["micro_mmlu"]}  # fmt: skip
    records = ["{profile}/sft--*", "{profile}/random--*", "{profile}/semalign--*"]
    test = {**TEST, "subject": "{profile}, {rows} rows", "records": records, "given": given}
    (only,) = Claim.model_validate({**CLAIM, "tests": [test]}).all_tests
    assert only.subject == "micro, 300 to 1,000 rows"
    assert only.records == ["micro/sft-literal--*", "micro/semalign--*"]
    expected = {"theirs": "sft-literal", "others": ["sft-literal"], "profile": "micro"}
    assert only.given == {**given, **expected}


def test_results_after_fewer_rows_do_not_count_beside_those_at_the_papers_sizes(root):
    for name in ("micro-tuned", "micro", "micro-sibling"):
        make_record(root, name)
    given = {**TEST["given"], "profile": ["micro-tuned", "micro", "micro-sibling"]}
    test = {**TEST, "rule": "of_profile", "given": given}
    tests = [test]

    def verdict(**verdicts):
        claim = Claim.model_validate({**CLAIM, "tests": tests})
        for each in claim.all_tests:
            each.__dict__["finding"] = Finding(verdicts[each.given["profile"].replace("-", "_")])
        return claim.verdict, [each.given["profile"] for each in claim.counted]

    here = {"micro_tuned": "not reproduced", "micro": "reproduced", "micro_sibling": "reproduced"}
    assert verdict(**here) == ("reproduced", ["micro", "micro-sibling"])
    assert verdict(**here | {"micro_sibling": "undecided"}) == ("reproduced", ["micro", "micro-sibling"])
    assert verdict(**here | {"micro": "not reproduced"})[0] == "reproduced in part"
    assert verdict(**here | {"micro": "not run"}) == ("reproduced", ["micro-sibling"])
    assert verdict(**here | {"micro": "not run", "micro_sibling": "not run"}) == ("not reproduced", ["micro-tuned"])
    tests.append({**test, "given": {**given, "profile": ["micro-tuned"]}})  # a test of its own
    assert verdict(**here) == ("reproduced", ["micro", "micro-sibling"])
    assert verdict(**here | {"micro": "not run", "micro_sibling": "not run"})[1] == ["micro-tuned"] * 2


def test_what_is_undecided_about_one_part_of_a_claim_counts():
    tests = [{**TEST, "part": part} for part in ("Seeking", "Seeking", "LaTen")]

    def verdict(*verdicts):
        claim = Claim.model_validate({**CLAIM, "tests": tests})
        for each, found in zip(claim.all_tests, verdicts, strict=True):
            each.__dict__["finding"] = Finding(found)
        return claim.verdict

    claim = Claim.model_validate({**CLAIM, "tests": tests})
    for each, found in zip(claim.all_tests, ("reproduced", "undecided", "undecided"), strict=True):
        each.__dict__["finding"] = Finding(found)
    assert claim.verdict_of(claim.all_tests[:2]) == "reproduced in part"  # nothing is known of the other part
    assert verdict("reproduced", "undecided", "reproduced") == "reproduced"  # beside a decided test of the same part
    assert verdict("reproduced", "reproduced", "undecided") == "reproduced in part"
    assert verdict("not reproduced", "undecided", "undecided") == "not reproduced"
    assert Claim.model_validate({**CLAIM, "tests": [], "command": "x"}).verdict == "not run"


def test_mistakes_in_the_file_are_named(root):
    write(root, {**CLAIM, "number": 2})
    with pytest.raises(ValueError, match=r"claims.yaml: claims are numbered \[2\], not 1 to 1"):
        read_ledger()
    write(root, {**CLAIM, "tests": []})
    with pytest.raises(ValueError, match="claim 1 has neither tests nor a command"):
        read_ledger()
    write(root, {**CLAIM, "verdict": "reproduced"})
    with pytest.raises(ValueError, match=r"claims.yaml: .*verdict"):
        read_ledger()


def test_the_ledger_of_the_project_names_rules_chapters_and_at_least_twenty_claims(monkeypatch):
    monkeypatch.setenv("SEMALIGN_ROOT", str(ROOT))
    claims = read_ledger().claims
    assert len(claims) >= 20
    for claim in claims:
        assert any((ROOT / f"{claim.chapter}{end}").is_file() for end in (".py", ".md")), claim.number
        assert all(test.rule in RULES for test in claim.all_tests)
