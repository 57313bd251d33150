"""The ledger ``data/claims.yaml``: claims in order, each with tests that name a rule, their records and a text."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cached_property
from itertools import chain
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from semalign.book.claims.profiles import Renamed, filled, renamed_pattern, renamed_value, sizes
from semalign.book.claims.rules import RULES, evaluate
from semalign.book.claims.verdicts import NOT_RUN, Finding, NotRunError, combined, of_parts
from semalign.errors import problems
from semalign.paths import data_dir, results_dir
from semalign.sandbox.runs import cores
from semalign.yaml_text import read_mapping


class Strict(BaseModel):
    """A part of the ledger; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Test(Strict):
    """A test of a claim on some records.

    Attributes:
        subject: what it is measured on.
        rule: name of the rule, see :mod:`semalign.book.claims.rules`.
        records: patterns of the records below ``data/results`` that the rule may read.
        part: for a claim that says several things, which of them it is about.
        given: what else the rule gets; ``profile`` may be a list, or a mapping that says which entries of a profile
            have other names.
        text: what is found; ``{name}`` stands for a number of the finding.
        command: what makes the records.
    """

    __test__ = False  # pytest takes classes of this name for its own

    subject: str
    part: str = ""
    rule: str
    records: list[str] = []
    given: dict[str, Any] = {}
    text: str
    command: str

    @property
    def profiles(self) -> dict[str, Renamed]:
        """The profiles that it is for, each with the entries that stand there for those that the test names."""
        given = self.given.get("profile") or []
        named = [given] if isinstance(given, str) else given
        return {name: named[name] if isinstance(named, dict) else {} for name in named}

    def for_profiles(self) -> list["Test"]:
        """Return the test for each of its profiles that has records, or itself without several of them."""
        if not isinstance(self.given.get("profile"), list | dict):
            return [self]
        here = [name for name in self.profiles if any((results_dir() / name).glob("*.json"))]
        return [self._on(name, self.profiles[name]) for name in here or list(self.profiles)[:1]]

    def _on(self, profile: str, renamed: Renamed) -> "Test":
        """Return the test for one profile. An entry renamed to nothing is left out, where the test lists several."""
        update = {
            "subject": filled(self.subject, profile),
            "command": filled(self.command, profile),
            "records": [new for each in self.records if (new := renamed_pattern(filled(each, profile), renamed))],
            "given": {**{key: renamed_value(value, renamed) for key, value in self.given.items()}, "profile": profile},
        }
        return self.model_copy(update=update)

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
    def trials(self) -> list[list[Test]]:
        """Each of its tests on all profiles."""
        return [test.for_profiles() for test in self.tests]

    @property
    def all_tests(self) -> list[Test]:
        """Its tests, one for each profile."""
        return [each for trial in self.trials for each in trial]

    @property
    def counted(self) -> list[Test]:
        """The tests that the verdict is of: of those on profiles, the ones that were run with the most training rows.

        Results after a few hundred rows are so never mixed with those at the sizes of the paper.
        """
        run = [test for test in self.all_tests if "profile" in test.given and test.finding.verdict != NOT_RUN]
        rows = {test.given["profile"]: sum(sizes(test.given["profile"])) for test in run}
        few = {name for name in rows if rows[name] < max(rows.values())}
        unrun = {test.given.get("profile") for test in self.all_tests} - {None, *rows} if rows else set()
        return [test for test in self.all_tests if test.given.get("profile") not in few | unrun]

    @cached_property
    def verdict(self) -> str:
        """The verdict of its tests together."""
        return self.verdict_of(self.counted)

    def verdict_of(self, tests: Iterable[Test]) -> str:
        """Return the verdict of some of its tests; of a claim that says several things, of what each part gives."""
        parts: dict[str, list[str]] = {test.part: [] for test in self.tests}
        for test in tests:
            parts[test.part].append(test.finding.verdict)
        return of_parts(map(combined, parts.values())) if parts else NOT_RUN


class Group(Strict):
    """Claims about one subject."""

    group: str
    claims: list[Claim]


class Ledger(Strict):
    """All claims; ``profiles`` keeps the profiles that the tests share, with their names of entries."""

    profiles: dict[str, dict[str, str | None]] = {}
    groups: list[Group]

    @property
    def claims(self) -> list[Claim]:
        """All claims in order."""
        return [claim for group in self.groups for claim in group.claims]

    def evaluate(self) -> None:
        """Evaluate all tests now, on all cores, and keep the findings. Rules are imported here, not by each process."""
        _, groups = list(RULES), grouped([test for claim in self.claims for test in claim.all_tests])
        with ProcessPoolExecutor(cores()) as pool:
            findings = chain.from_iterable(pool.map(_findings, groups))
            for test, finding in zip(chain.from_iterable(groups), findings, strict=True):
                test.__dict__["finding"] = finding  # where the cached property keeps it


def grouped(tests: Sequence[Test]) -> list[list[Test]]:
    """Return tests in groups that read the records of one profile, largest first; one that reads none is alone."""
    groups: dict[Any, list[Test]] = {}
    for number, test in enumerate(tests):
        groups.setdefault(test.given.get("profile") if test.records else number, []).append(test)
    return sorted(groups.values(), key=len, reverse=True)


def _findings(tests: Sequence[Test]) -> list[Finding]:
    return [test.finding for test in tests]


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
