"""Recompute the numbers of the built report's tables from the records: make audit.

Shares no code with the package, so that a mistake there shows here. Prints a line per difference
and what is not audited; exits with 1 where there is a difference.
"""

import re
import sys
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup

from audit.records import About, Book, at_odds
from audit.tables import TABLES

NUMBER = re.compile(r"([<>]?)\s*((?:(?<![\w%.])[-+−])?)(\d[\d,]*(?:\.\d+)?)")
HERE = Path(__file__).parents[1]
Key = tuple[str, ...]


def key(texts: Any) -> Key:
    """The cells by which a row is known, without what stands in parentheses, in any order."""
    plain = (re.sub(r"\s*\(.*?\)", "", text).lower() for text in texts)
    return tuple(", ".join(sorted(re.split(r",\s+", text.strip()))) for text in plain)


def read(page: Path) -> dict[str, list[dict[str, str]]]:
    """Every table of a page by its id, as rows of text by column head; "" for those without id."""
    found: dict[str, list[dict[str, str]]] = {}
    for table in BeautifulSoup(page.read_text(), "html.parser").find_all("table"):
        lines = [
            [" ".join(cell.get_text().split()) for cell in row.find_all(["th", "td"])]
            for row in table.find_all("tr")
        ]
        rows = [dict(zip(lines[0], line)) for line in lines[1:]]
        found.setdefault(table.get("id", ""), []).extend(rows)
    return found


def numbers(text: str) -> list[tuple[str, str]]:
    """Each number of a cell as its bound ("<", ">" or "") and its text."""
    return [(bound, sign.replace("−", "-") + digits.replace(",", ""))
            for bound, sign, digits in NUMBER.findall(text)]  # fmt: skip


def agree(cell: str, expected: Any) -> bool:
    """Whether a printed cell is what was recomputed, at the precision that it is printed to."""
    if isinstance(expected, str):
        return cell == expected
    printed = numbers(cell)
    return len(printed) == len(expected) and all(map(_close, printed, expected))


def _close(printed: tuple[str, str], expected: Any) -> bool:
    value, error = expected if isinstance(expected, About) else (expected, 0)
    bound, text = printed
    half = 0.5 * 10.0 ** -len(text.partition(".")[2]) + 1e-6 + error
    if bound:
        return value >= float(text) - half if bound == ">" else value <= float(text) + half
    return abs(float(text) - value) <= half


def compare(name: str, printed: list[dict[str, str]], expected: Any, keys: Key) -> tuple[int, list]:
    """How many numbers of a table agree or not, and a line (row, column, printed, recomputed) each."""
    found = {key(row.get(one, "") for one in keys): row for row in printed}
    wanted = {key(texts): row for texts, row in expected.items()}
    heads = {re.sub(r"\s*\(.*?\)", "", head).lower(): head for row in printed for head in row}
    count, differences = 0, []
    for place, columns in wanted.items():
        if place not in found:
            differences.append((place, "", "no such row", columns))
            continue
        for column, value in columns.items():
            cell = found[place].pop(heads.get(column.lower(), ""), None)
            count += len(numbers(cell or ""))
            if cell is None or not agree(cell, value):
                differences.append((place, column, cell, value))
    return count, differences


def audit(book: Path, pages: Path) -> int:
    """Audit a built report; returns how many differences there are, and prints them."""
    records, count, lines, left = Book(book), 0, [], {}
    lines += [f"record {line}" for run in records.runs for line in at_odds(run)]
    known = {path.stem: read(path) for path in sorted(pages.glob("*.html"))}
    for name, (recompute, keys) in TABLES.items():
        page = name.split("-")[0]
        rows = known.get(page, {}).get(name)
        if rows is None:
            lines.append(f"{page}.html {name}: no such table")
            continue
        some, differences = compare(name, rows, recompute(records), keys)
        count += some
        for place, column, printed, value in differences:
            lines.append(f"{page}.html {name}: {' / '.join(place)}: {column}: printed {printed!r}, "
                         f"recomputed {told(value)}")  # fmt: skip
    for page, tables in known.items():
        for name, rows in tables.items():
            keys = TABLES[name][1] if name in TABLES else ()
            cells = [cell for row in rows for head, cell in row.items() if head not in keys]
            if some := sum(len(numbers(cell)) for cell in cells):
                left[name or f"{page}.html, without a name"] = some
    print(*lines, sep="\n", end="\n" if lines else "")
    print("Not audited, numbers by table:", ", ".join(f"{name} {some}" for name, some in left.items()))
    print(f"{count:,} numbers recomputed, {len(lines)} differences, {sum(left.values()):,} numbers "
          f"not audited in {len(left)} tables.")  # fmt: skip
    return len(lines)


def told(value: Any) -> str:
    if not isinstance(value, list):
        return str(value)
    return ", ".join(f"{one.value if isinstance(one, About) else one:.6g}" for one in value) or "none"


if __name__ == "__main__":
    sys.exit(bool(audit(HERE / "book", HERE / "_build" / "html" / "pages")))
