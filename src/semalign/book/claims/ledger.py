"""The ledger ``data/claims.yaml``: claims in order, each with tests that name a rule, their records and a text."""

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from semalign.book.claims.rules import evaluate
from semalign.book.claims.verdicts import NOT_RUN, Finding, NotRunError, combined
from semalign.errors import problems
from semalign.paths import data_dir, results_dir
from semalign.yaml_text import read_mapping

PROFILE = "{profile}"  # in a test: stands for each of the profiles that it is given


class Strict(BaseModel):
    """A part of the ledger; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Test(Strict):
    """A test of a claim on some records.

    Attributes:
        subject: what it is measured on.
        rule: name of the rule, see :mod:`semalign.book.claims.rules`.
        records: patterns of the records below ``data/results`` that the rule may read.
        given: what else the rule gets.
        text: what is found; ``{name}`` stands for a number of the finding.
        command: what makes the records.
    """

    __test__ = False  # pytest takes classes of this name for its own

    subject: str
    rule: str
    records: list[str] = []
    given: dict[str, Any] = {}
    text: str
    command: str

    def for_profiles(self) -> Iterator["Test"]:
        """Yield the test for each of its profiles that has a folder of records, or itself without a list of them."""
        profiles = self.given.get("profile")
        if not isinstance(profiles, list):
            yield self
            return
        for profile in [name for name in profiles if (results_dir() / name).is_dir()] or profiles[:1]:
            update = {key: getattr(self, key).replace(PROFILE, profile) for key in ("subject", "command")}
            records = [pattern.replace(PROFILE, profile) for pattern in self.records]
            yield self.model_copy(update={**update, "records": records, "given": {**self.given, "profile": profile}})

    @cached_property
    def finding(self) -> Finding:
        """What the rule finds; ``not run`` where records are missing, damaged or stale, or models or data are."""
        try:
            return evaluate(self.rule, self.records, self.given)
        except (NotRunError, FileNotFoundError) as error:
            return Finding(NOT_RUN, {"why": str(error)})

    @property
    def told(self) -> str:
        """The text with its numbers; where nothing was run, why not and the command."""
        if self.finding.verdict == NOT_RUN:
            return f"not run ({self.finding.numbers['why']}): `{self.command}`"
        return self.text.format_map(self.finding.numbers)


class Claim(Strict):
    """A claim of the paper.

    Attributes:
        number: its number, from 1.
        claim: the claim in our words.
        section: section, table or figure of the paper.
        paper: what the paper gives for it.
        test: what we test.
        chapter: page of the book, without its suffix.
        tests: tests; none if nobody can run one yet.
        command: without tests, what would run one.
    """

    number: int
    claim: str
    section: str
    paper: str
    test: str
    chapter: str
    tests: list[Test] = []
    command: str = Field("", description="needed without tests")

    @cached_property
    def all_tests(self) -> list[Test]:
        """Its tests, one for each profile."""
        return [each for test in self.tests for each in test.for_profiles()]

    @cached_property
    def verdict(self) -> str:
        """The verdict of its tests together."""
        return combined(test.finding.verdict for test in self.all_tests)


class Group(Strict):
    """Claims about one subject."""

    group: str
    claims: list[Claim]


class Ledger(Strict):
    """All claims; ``profiles`` is where the file keeps the list of profiles that its tests share."""

    profiles: list[str] = []
    groups: list[Group]

    @property
    def claims(self) -> list[Claim]:
        """All claims in order."""
        return [claim for group in self.groups for claim in group.claims]


def read_ledger() -> Ledger:
    """Return the ledger.

    Raises:
        ValueError: for a file that does not fit, claims that are not numbered from 1 on, or a claim that has neither
            tests nor a command.
    """
    path = data_dir() / "claims.yaml"
    try:
        ledger = Ledger.model_validate(read_mapping(path))
    except ValidationError as error:
        raise ValueError(f"{path.name}: {problems(error)}") from error
    numbers = [claim.number for claim in ledger.claims]
    if numbers != list(range(1, len(numbers) + 1)):
        raise ValueError(f"{path.name}: claims are numbered {numbers}, not 1 to {len(numbers)}")
    for claim in ledger.claims:
        if not claim.tests and not claim.command:
            raise ValueError(f"{path.name}: claim {claim.number} has neither tests nor a command that would run one")
    return ledger
