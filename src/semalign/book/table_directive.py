"""The directive ``check-table``: a table made by code on a page that is no notebook."""

from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from semalign.book.kept_texts import kept
from semalign.paths import data_dir, project_root

# The function that makes each table. Its module is imported when a page is read that needs it.
TABLES = {
    "builds": "speed_page:builds",
    "generation": "speed_page:generation",
    "gpu-check": "check_tables:gpu_check",
    "half-precision": "check_tables:half_precision",
    "map_by_triangle": "speed_page:map_by_triangle",
    "micro-cell": "speed_page:micro_cell",
    "paper-3": "check_tables:paper_3",
    "paper-4": "check_tables:paper_4",
    "paper-5": "check_tables:paper_5",
    "paper-counts": "paper_notes:counts_table",
    "paper-shares": "paper_notes:shares_table",
    "plan": "plan_table:plan_table",
    "plan-check": "plan_table:measured_table",
    "plan-steps": "plan_table:steps_table",
    "profiles": "speed_page:profiles",
    "provenance": "provenance_page:provenance_tables",
    "speed": "speed_page:speed_tables",
    "status-claims": "status_page:claims_not_run",
    "status-devices": "status_page:devices",
    "status-notebooks": "status_page:notebooks",
    "status-profiles": "status_page:profiles",
    "status-versions": "status_page:packages",
}
OF_CHAPTERS = {"provenance", "status-devices", "status-notebooks"}  # made from the executed notebooks


def places(name: str) -> list[Path]:
    """Return what a table is made from."""
    return [data_dir()] if name not in OF_CHAPTERS else [project_root() / "book" / "notebooks"]


class CheckTable(SphinxDirective):
    """The directive ``check-table``, whose argument names one of the tables."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the nodes of the table, which is made again where what it is made from has changed."""
        (name,) = self.arguments
        return self.parse_text_to_nodes(kept(self.env, TABLES[name], places(name)), allow_section_headings=True)
