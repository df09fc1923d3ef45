"""Recompute the numbers of the built report's tables from the records: make audit.

Shares no code with the package, so that a mistake there shows here. Prints a line per difference
and what is not audited; exits with 1 where there is a difference.
"""

import re
import sys
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup, Tag

from audit.records import About, Book
from audit.tables import TABLES

HERE = Path(__file__).parents[1]
NUMBER = re.compile(r"([<>]?)\s*((?:(?<![\w%.])[-+−])?)(\d[\d,]*(?:\.\d+)?)")
Table = list[dict[str, str]]  # a row's cells by the head of their column, see `plain`


def plain(text: str) -> str:
    """A head or a key without what stands in parentheses, its parts in any order."""
    text = re.sub(r"\s*\(.*?\)", "", text).strip().lower()
    return ", ".join(sorted(re.split(r",\s+", text)))


def read(page: Path) -> dict[str, Table]:
    """Every table of a page by its id, those without one together; and the list of claims."""
    found: dict[str, Table] = {}
    whole = BeautifulSoup(page.read_text(), "html.parser")
    for line in whole.select("details.claim"):
        found.setdefault("claims", []).append(read_claim(line))
    for table in whole.find_all("table"):
        rows = [row.find_all(["th", "td"]) for row in table.find_all("tr")]
        head, *lines = [[" ".join(cell.get_text().split()) for cell in row] for row in rows]
        lines = [dict(zip(map(plain, head), line)) for line in lines]
        found.setdefault(table.get("id", "without a name"), []).extend(lines)
    return found


def read_claim(line: Tag) -> dict[str, str]:
    """What a line of the list of claims says, folded and unfolded."""
    parts = {"claim": line["id"].removeprefix("claim-")}
    for name, part in (("printed", ".printed"), ("shown", ".measured")):
        parts[name] = " ".join(line.select_one(part).get_text().split())
    plot = line.select_one("svg")
    parts["plot"] = plot["aria-label"] if plot else ""
    terms, told = line.select("dl > dt"), line.select("dl > dd")
    texts = [" ".join(one.get_text().split()) for one in told]
    return parts | dict(zip((plain(term.get_text()) for term in terms), texts))


def numbers(text: str) -> list[tuple[str, str]]:
    """Each number of a cell: its bound ("<", ">" or ""), and itself."""
    found = NUMBER.findall(text)
    return [(bound, sign.replace("−", "-") + n.replace(",", "")) for bound, sign, n in found]


def agree(cell: str, expected: Any) -> bool:
    """Whether a printed cell is what was recomputed, at the precision that it is printed to."""
    if isinstance(expected, str):
        return cell == expected
    printed = numbers(cell)
    return len(printed) == len(expected) and all(map(_near, printed, expected))


def _near(printed: tuple[str, str], expected: Any) -> bool:
    value, error = expected if isinstance(expected, About) else (expected, 0)
    bound, text = printed
    apart = value - float(text)
    apart = {"<": max(apart, 0), ">": min(apart, 0)}.get(bound, apart)
    return abs(apart) <= 0.5 * 10.0 ** -len(text.partition(".")[2]) + 1e-6 + error


def compare(table: Table, expected: Any, keys: tuple[str, ...]) -> tuple[int, list[str]]:
    """How many numbers of a table were compared, and a line per difference.

    What was compared is taken out of the table, so that what is not audited stays.
    """
    found = {tuple(plain(row.pop(plain(key), "")) for key in keys): row for row in table}
    count, lines = 0, []
    for texts, columns in expected.items():
        row = found.get(tuple(map(plain, texts)), {})
        for column, value in columns.items():
            cell = row.pop(plain(column), "no such cell")
            count += len(numbers(cell))
            if not agree(cell, value):
                told = value if isinstance(value, str) else ", ".join(map(_told, value)) or "none"
                place = f"{' / '.join(texts)}: {column}"
                lines.append(f"{place}: printed {cell}, recomputed {told}")
    return count, lines


def _told(value: Any) -> str:
    return f"{value.value:.6g} ± {value.error:.2g}" if isinstance(value, About) else f"{value:.8g}"


def audit(folder: Path, pages: Path) -> int:
    """Audit the pages of a built report; print and count the differences."""
    book, count = Book(folder), 0
    lines = [line for run in book.runs for line in run.at_odds()]
    read_in = {page.name: read(page) for page in sorted(pages.glob("*.html"))}
    tables = {(page, name): table for page, one in read_in.items() for name, table in one.items()}
    for name, (recompute, arguments, keys) in TABLES.items():
        places = [place for place in tables if place[1] == name]
        expected = recompute(book, *arguments)  # nothing where no record is there yet
        lines += [f"{name}: no such table"] if expected and not places else []
        for place in places:
            some, found = compare(tables[place], expected, keys)
            count, lines = count + some, lines + [f"{', '.join(place)}, {line}" for line in found]
    left = {
        ", ".join(place): sum(len(numbers(cell)) for row in table for cell in row.values())
        for place, table in tables.items()
    }
    left = {name: some for name, some in left.items() if some}
    print(
        "Not audited: prose, figures, and these numbers of tables:",
        *(f"  {name}: {some:,}" for name, some in left.items()),
        sep="\n",
    )
    print(*lines, sep="\n", end="\n" * bool(lines))
    print(f"{count:,} numbers recomputed, {len(lines)} differences, {sum(left.values()):,} numbers "
          f"not audited in {len(left)} tables.")  # fmt: skip
    return len(lines)


if __name__ == "__main__":
    sys.exit(bool(audit(HERE / "book", HERE / "_build" / "html" / "pages")))
