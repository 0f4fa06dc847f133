"""A table as pages, charts and exports share it: columns, cells and the state of a cell (pure)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["text", "number", "percent", "day", "moment", "week", "country", "hash", "badge"]
State: TypeAlias = Literal["", "withheld", "missing", "incomplete", "simulated", "alarm"]


@dataclass(frozen=True)
class Column:
    """One column.

    Parameters
    ----------
    key : str
        Stable name: the ``sort`` value of the address and the column name of the CSV.
    label : str
        Translated heading.
    kind : str
        How a value is shown; numbers stand at the end of the line, in figures of equal width.
    sortable : bool
        Whether the heading sorts, on the server, through ``?sort=key`` and ``?sort=-key``.
    foreign : bool
        Text that came from a partner or a file: it is isolated, so that its direction cannot disturb the page.
    """

    key: str
    label: str
    kind: Kind = "text"
    sortable: bool = False
    foreign: bool = False

    @property
    def numeric(self) -> bool:
        """Whether the values are figures."""
        return self.kind in {"number", "percent"}


@dataclass(frozen=True)
class Cell:
    """One value and what must be said about it.

    Parameters
    ----------
    value : object
        None with state ``withheld`` or ``missing``.
    state : str
        ``withheld`` (kept back by a rule), ``missing`` (no report came), ``incomplete`` (reports still come in),
        ``simulated``, ``alarm`` (above the limit), or empty.
    note : str
        The rule's name of a withheld cell, or a short remark.
    below : int, optional
        Size that a withheld cell stays under: 5 is shown as ``< 5``.
    url : str
        Where the value is explained.
    tone : str
        Of a badge: ``plain``, ``accent`` or ``alarm``.
    """

    value: object = None
    state: State = ""
    note: str = ""
    below: int | None = None
    url: str = ""
    tone: str = "plain"


@dataclass(frozen=True)
class Table:
    """Columns and rows with a caption.

    Parameters
    ----------
    caption : str
        Says what the rows are; read aloud first and shown above the table.
    columns : sequence of Column
    rows : sequence of rows
        Each row holds one `Cell`, or one bare value, per column.
    sort : str
        Column that the rows are sorted by, with a leading ``-`` for downwards.
    sort_parameter : str
        Name of the parameter of the address; give each of several tables on a page its own.
    quiet_caption : bool
        Caption for screen readers alone, where a card's title says the same.
    empty : str
        What to say when there are no rows.
    """

    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[object]]
    sort: str = ""
    sort_parameter: str = "sort"
    quiet_caption: bool = False
    empty: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"a row has {len(row)} values; the table has {len(self.columns)} columns")

    def cells(self) -> Iterable[list[tuple[Column, Cell]]]:
        """Yield each row as pairs of column and cell."""
        for row in self.rows:
            yield [(column, as_cell(value)) for column, value in zip(self.columns, row, strict=True)]

    def head(self, rows: int) -> "Table":
        """Return the first `rows` rows."""
        return replace(self, rows=self.rows[:rows])

    def ordered(self, sort: str) -> "Table":
        """Return the rows sorted by a column key (``-key`` downwards); a key that is not there changes nothing.

        Withheld and missing values stand last in either direction, since no order is known of them.
        """
        key, downwards = sort.removeprefix("-"), sort.startswith("-")
        position = next((index for index, column in enumerate(self.columns) if column.key == key), None)
        if position is None:
            return self
        known = [row for row in self.rows if as_cell(row[position]).value is not None]
        unknown = [row for row in self.rows if as_cell(row[position]).value is None]
        known.sort(key=lambda row: _sort_key(as_cell(row[position]).value), reverse=downwards)
        return replace(self, rows=[*known, *unknown], sort=sort)

    def as_data(self) -> dict[str, object]:
        """Return plain JSON values, for storing; `from_data` is the way back."""
        return {
            "caption": self.caption,
            "columns": [[c.key, str(c.label), c.kind, c.sortable, c.foreign] for c in self.columns],
            "rows": [
                [
                    [_plain(value.value), value.state, value.note, value.below]
                    if isinstance(value, Cell)
                    else [_plain(value), "missing" if value is None else "", "", None]
                    for value in row
                ]
                for row in self.rows
            ],
        }

    @classmethod
    def from_data(cls, data: Mapping[str, object]) -> "Table":
        """Return the table that `as_data` stored; dates come back as ISO text, which sorts and shows alike."""
        columns = [Column(*values) for values in data["columns"]]  # type: ignore[attr-defined]  # JSON made by as_data
        rows = [
            [Cell(value=value, state=state, note=note, below=below) for value, state, note, below in row]
            for row in data["rows"]  # type: ignore[attr-defined]  # JSON made by as_data
        ]
        return cls(caption=str(data["caption"]), columns=columns, rows=rows)


def as_cell(value: object) -> Cell:
    """Return `value` if it is a cell, otherwise a cell that holds it; None is a missing value."""
    if isinstance(value, Cell):
        return value
    return Cell(value=value, state="missing" if value is None else "")


def _plain(value: object) -> object:
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)


def _sort_key(value: object) -> tuple[int, float, str]:
    if isinstance(value, (int, float)):
        return (0, float(value), "")
    if isinstance(value, (datetime, date)):
        return (1, 0.0, value.isoformat())
    return (1, 0.0, str(value).casefold())
