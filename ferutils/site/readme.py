"""The verdict table of README.md, from the same records and claims as the book.

Reads claims and records; writes the part of README.md between its two marks.
Used as `python -m ferutils.site.readme`.
"""

import re

from ferutils import paths
from ferutils.claims import paper, verdicts
from ferutils.records import study
from ferutils.report import tables

README = paths.ROOT / "README.md"
BEGIN, END = "<!-- verdicts: written by make readme -->\n", "<!-- end of verdicts -->\n"


def verdict_part() -> str:
    """The table of the paper's Table 3 beside ours, and the summary of the first page.

    Raises:
        FileNotFoundError, ValueError: as `paper.load` and `study.read`.
    """
    claims, found = paper.load(), study.read()
    lines = tables.pipes(tables.table_3(claims, found))
    glance = tables.at_a_glance(claims, verdicts.findings(claims, found), found)
    told = [f"{re.sub(r'[][]|{.*?}', '', what)}: {much}" for what, much in glance.to_numpy()]
    return "\n".join([*lines, "", "; ".join(told) + ".", ""])


def with_verdicts(text: str) -> str:
    """A README with its part between the marks made new.

    Raises:
        FileNotFoundError: as `paper.load`.
        ValueError: a mark is missing.
    """
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise ValueError(
            f"Expected the lines {BEGIN.strip()!r} and {END.strip()!r} once each in README.md. "
            f"Received: {text.count(BEGIN)} and {text.count(END)}. Put them back."
        )
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    return before + BEGIN + verdict_part() + END + after


if __name__ == "__main__":
    README.write_text(with_verdicts(README.read_text(encoding="utf-8")), encoding="utf-8")
