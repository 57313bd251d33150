"""The role ``verdict``: what the tests of a claim give for one profile, in the prose of a page."""

from docutils import nodes
from docutils.nodes import Node, system_message
from sphinx.util.docutils import SphinxRole

from semalign.book.claims.page import ledger
from semalign.book.claims.verdicts import NOT, PARTLY, combined

IN_PROSE = {PARTLY: "reproduced in part", NOT: "not reproduced"}  # the others are words for themselves


def verdict(text: str) -> str:
    """Return the verdict on a claim by the tests of one profile, as ``CLAIM:PROFILE`` asks for it.

    Raises:
        ValueError: if there is no such claim, or none of its tests is of this profile.
    """
    number, _, profile = text.partition(":")
    claim = next((claim for claim in ledger().claims if str(claim.number) == number), None)
    if claim is None or not any(profile in test.profiles for test in claim.tests):
        raise ValueError(f"{text!r} names no claim with a test of a profile: write CLAIM:PROFILE, such as 7:micro")
    return combined(test.finding.verdict for test in claim.all_tests if test.given.get("profile") == profile)


class VerdictRole(SphinxRole):
    """The role ``verdict``, whose text is that of :func:`verdict`."""

    def run(self) -> tuple[list[Node], list[system_message]]:
        """Return the verdict as text; the page is read again in every build, since records may have changed."""
        self.env.note_reread()
        try:
            found = verdict(self.text)
            return [nodes.emphasis("", IN_PROSE.get(found, found))], []
        except ValueError as error:
            message = self.inliner.reporter.error(str(error), line=self.lineno)
            return [nodes.problematic(self.rawtext, self.rawtext)], [message]
