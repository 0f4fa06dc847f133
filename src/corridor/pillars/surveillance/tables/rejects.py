"""What could not be read from a file: row, column, reason and what was expected, never the value itself.

A value of a line list can identify a person; a rejects file travels by mail. It names the place of the fault alone.
"""

from dataclasses import dataclass, field

import polars as pl

__all__ = ["EFFECTS", "REASONS", "REJECT_SCHEMA", "Outcome", "Rejects"]

REASONS = {
    "missing-value": "a value; the field is needed",
    "unknown-place": "the name, in any of four languages, or the code of one place; several of one name need a country",
    "unknown-disease": "a name or code of a disease or syndrome in the reference data",
    "not-a-date": "a date such as 2024-01-31, 31.01.2024, 31/01/2024 (day first unless set otherwise) or 31 Jan 2024",
    "not-a-period": "a date, an ISO week such as 2024-W05, or a month such as 2024-01",
    "before-1900": "a date from 1900-01-01 on",
    "in-the-future": "a date no later than the as-of time of the file",
    "onset-after-report": "an onset no later than the report",
    "not-a-number": "a whole number",
    "negative-count": "a count of 0 or more; corrections need the option `corrections` or `cumulative`",
    "number-too-large": "a number below two thousand million",
    "duplicate-id": "an id that occurs once in the file",
    "duplicate-cell": "one row for each disease, place, period, class and stratum",
    "more-reported-than-expected": "sites reported no larger than sites expected",
    "more-positives-than-tests": "positives no larger than tests",
    "unknown-code": "one of the codes of this field; add others under [codes] of the mapping",
    "impossible-age": "an age in years from 0 to 130",
    "text-too-long": "at most 64 characters",
}
EFFECTS = ("row left out", "value read as unknown")
REJECT_SCHEMA = {
    "row": pl.Int64,
    "column": pl.String,
    "reason": pl.String,
    "expected": pl.String,
    "effect": pl.String,
}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What was read from a file.

    Attributes
    ----------
    kept : polars.DataFrame
        The validated rows, with the column ``row`` (row in the file; the header is row 1).
    rejects : polars.DataFrame, columns as in `REJECT_SCHEMA`, by row
        Every fault, whether it cost the row or only the value.
    rows : int
        Rows read, without the header.
    notes : tuple of str
        What was decided for the whole file, to be told to the person (English).
    """

    kept: pl.DataFrame
    rejects: pl.DataFrame
    rows: int
    notes: tuple[str, ...] = ()

    @property
    def left_out(self) -> int:
        """Rows that were read and not kept."""
        return self.rows - self.kept.height

    def reasons(self) -> dict[str, int]:
        """Return how many faults there are of each reason, most frequent first."""
        counted = self.rejects.group_by("reason").len().sort(["len", "reason"], descending=[True, False])
        return dict(counted.iter_rows())


@dataclass
class Rejects:
    """Collects faults while a frame is read; `frame` carries the column ``row``."""

    parts: list[pl.DataFrame] = field(default_factory=list)

    def note(self, rows: pl.Series, *, column: str, reason: str, row_kept: bool = False) -> None:
        """Record that in each of `rows` the `column` is at fault."""
        if rows.len() == 0:
            return
        self.parts.append(
            pl.DataFrame({"row": rows}).select(
                pl.col("row").cast(pl.Int64),
                pl.lit(column).alias("column"),
                pl.lit(reason).alias("reason"),
                pl.lit(REASONS[reason]).alias("expected"),
                pl.lit(EFFECTS[1] if row_kept else EFFECTS[0]).alias("effect"),
            )
        )

    def leave_out(self, frame: pl.DataFrame, fault: pl.Expr, *, column: str, reason: str) -> pl.DataFrame:
        """Return `frame` without the rows where `fault` holds; those are recorded."""
        marked = frame.select(fault.fill_null(value=False).alias("fault")).to_series()
        if not marked.any():
            return frame
        self.note(frame["row"].filter(marked), column=column, reason=reason)
        return frame.filter(~marked)

    def as_unknown(self, frame: pl.DataFrame, name: str, fault: pl.Expr, *, column: str, reason: str) -> pl.DataFrame:
        """Return `frame` with column `name` null where `fault` holds; those values are recorded, the rows kept."""
        marked = frame.select(fault.fill_null(value=False).alias("fault")).to_series()
        if not marked.any():
            return frame
        self.note(frame["row"].filter(marked), column=column, reason=reason, row_kept=True)
        return frame.with_columns(pl.when(~marked).then(pl.col(name)).alias(name))

    def table(self) -> pl.DataFrame:
        """Return all faults, by row."""
        if not self.parts:
            return pl.DataFrame(schema=REJECT_SCHEMA)
        return pl.concat(self.parts).sort(["row", "column", "reason"])
