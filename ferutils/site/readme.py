"""The verdict table of README.md, from the same records and claims as the book.

Reads claims and records; writes the part of README.md between its two marks.
Used as `python -m ferutils.site.readme`.
"""

from collections import Counter

from ferutils import paths
from ferutils.claims import paper, verdicts
from ferutils.records import study
from ferutils.report import tables

README = paths.ROOT / "README.md"
BEGIN, END = "<!-- verdicts: written by make readme -->\n", "<!-- end of verdicts -->\n"


def verdict_part() -> str:
    """The table of the paper's Table 3 beside ours, and the count of all verdicts."""
    claims, found = paper.load(), study.read()
    findings = verdicts.findings(claims, found)
    count = Counter(finding.verdict for finding in findings)
    counted = ", ".join(f"{count[one]} {one}" for one in paper.Verdict if count[one])
    lines = tables.pipes(tables.table_3(claims, found))
    return "\n".join([*lines, "", f"Of the paper's {len(findings)} claims: {counted}.", ""])


def with_verdicts(text: str) -> str:
    """A README with its part between the marks made new.

    Raises:
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
