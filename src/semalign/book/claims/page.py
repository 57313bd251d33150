"""The page of claims and the counts of verdicts, in MyST, from the ledger."""

from collections import Counter
from collections.abc import Sequence
from functools import cache

from semalign.book.claims.evidence import paths_of
from semalign.book.claims.ledger import Claim, Group, Ledger, Test, read_ledger
from semalign.book.claims.verdicts import NOT_RUN, VERDICTS
from semalign.book.provenance import source_container
from semalign.paths import project_root

SHOWN = 3  # records of a test that are offered one by one
HEAD = """````{{list-table}} {caption}
:header-rows: 1
:widths: 4 26 60 10
:name: tab-claims-{number}

* - No.
  - Claim
  - Test, and what it gives
  - Verdict
"""
GLANCE = """````{list-table} All claims at a glance. The number of a claim leads to its tests.
:header-rows: 1
:widths: 5 54 26 15
:name: tab-claims

* - No.
  - Claim
  - Where
  - Verdict
"""
SOURCE = source_container(
    "claims.rules", ["{download}`claims.yaml </../data/claims.yaml>`, records with each test"], "make book"
)


@cache
def ledger() -> Ledger:
    """Return the ledger, read once, so that pages which show its verdicts compute them once."""
    return read_ledger()


def counts(of: Ledger | None = None) -> str:
    """Return the sentence that counts the verdicts, for the page of claims, the landing page and the README.

    >>> counts(Ledger(groups=[]))
    'Of 0 claims of the paper, none has a verdict.'
    """
    claims = (of or ledger()).claims
    found = Counter(claim.verdict for claim in claims)
    parts = [f"{n} {'is' if n == 1 else 'are'} {each}" for each in VERDICTS if (n := found[each])]
    listed = ", ".join(parts[:-1]) + (" and " if parts[1:] else "") + (parts[-1] if parts else "none has a verdict")
    return f"Of {len(claims)} claims of the paper, {listed}."


def verdict(text: str) -> str:
    """Return the verdicts on a claim by the tests of each profile, as ``CLAIM:PROFILE,PROFILE`` asks for them.

    Raises:
        ValueError: if there is no such claim, or none of its tests is of a profile.
    """
    number, _, profiles = text.partition(":")
    claim = next((claim for claim in ledger().claims if str(claim.number) == number), None)
    return ",".join(_by_profile(claim, profile, text) for profile in profiles.split(","))


def _by_profile(claim: Claim | None, profile: str, text: str) -> str:
    if claim is None or not any(profile in test.profiles for test in claim.tests):
        raise ValueError(f"{text!r} names no claim with a test of a profile: write CLAIM:PROFILE, such as 7:micro")
    return claim.verdict_of(test for test in claim.all_tests if test.given.get("profile") == profile)


def glance(of: Ledger | None = None) -> str:
    """Return a table with a line for each claim: number, claim, section and verdict."""
    lines = (
        _row(f"[{claim.number}](#claim-{claim.number})", claim.claim, claim.section, f"**{claim.verdict}**")
        for claim in (of or ledger()).claims
    )
    return f"{GLANCE}{''.join(lines)}````\n{SOURCE}"


def tables(of: Ledger | None = None) -> str:
    """Return all claims, a section with a table for each group."""
    groups = (of or ledger()).groups
    return "\n".join(_group(group, number) for number, group in enumerate(groups, start=1))


def _group(group: Group, number: int) -> str:
    head = HEAD.format(caption=f"{group.group}.", number=number)
    return f"## {group.group}\n\n{head}{''.join(map(_line, group.claims))}````\n{SOURCE}"


def _line(claim: Claim) -> str:
    what = f"{claim.claim} ({claim.section}).\n\nThe paper: {claim.paper}."
    parts = [
        f"{claim.test} {{doc}}`/{claim.chapter}`",
        *(_test(test, test in claim.counted) for test in claim.all_tests),
    ]
    if not claim.tests:
        parts.append(f"- {NOT_RUN}: `{claim.command}`")
    number, tests = f"(claim-{claim.number})=\n{claim.number}", "\n".join([parts[0], "", *parts[1:]])
    return _row(number, what, tests, f"**{claim.verdict}**")


def _row(*cells: str) -> str:
    first, *rest = map(_indented, cells)
    return f"* - {first}\n" + "".join(f"  - {cell}\n" for cell in rest)


def _indented(cell: str) -> str:
    return cell.strip().replace("\n", "\n    ")


def _test(test: Test, counts: bool) -> str:
    verdict = f"**{test.finding.verdict}**" if counts else f"{test.finding.verdict}; does not count beside more rows"
    mark = f" ({verdict})" if test.finding.verdict != NOT_RUN else ""
    return f"- {test.subject}{mark}: {test.told}{_records(test.records)}"


def _records(patterns: Sequence[str]) -> str:
    """Return links to few records, or how many there are and where."""
    found = paths_of(patterns)
    if not found:
        return ""
    if len(found) <= SHOWN:
        links = (f"{{download}}`{path.stem} </../{path.relative_to(project_root()).as_posix()}>`" for path in found)
        return f". Records: {', '.join(links)}."
    return f". {len(found)} records: {', '.join(f'`data/results/{pattern}`' for pattern in patterns)}."
