"""How measured rows are printed."""

import sys
from collections.abc import Iterable, Mapping
from typing import Any

COLUMNS = ("what", "ours", "peer", "ratio", "at_least", "aim")
HEADINGS = ("what", "ours", "peer", "ratio", "at least", "aim")


def show(rows: Iterable[Mapping[str, Any]]) -> None:
    """Print rows as one table with aligned columns; a value that a row lacks stays empty."""
    cells = [HEADINGS, *(tuple(str(row.get(column) or "") for column in COLUMNS) for row in rows)]
    widths = [max(len(line[place]) for line in cells) for place in range(len(COLUMNS))]
    cells.insert(1, tuple("-" * width for width in widths))
    for line in cells:
        sys.stdout.write(
            "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |\n"
        )
