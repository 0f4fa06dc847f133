"""Counts by period: one row a disease, place, period, class and stratum."""

from datetime import date

import polars as pl

from corridor.base.reference import Diseases, Places
from corridor.base.tablecells import codes, first_days, whole_numbers
from corridor.pillars.surveillance.tables.codes import CLASSIFICATION, code_table
from corridor.pillars.surveillance.tables.columns import Reader
from corridor.pillars.surveillance.tables.mapping import ColumnMissing, Mapping
from corridor.pillars.surveillance.tables.rejects import Outcome, Rejects

__all__ = ["COUNT_FIELDS", "COUNT_KEY", "COUNT_SCHEMA", "read_counts"]

NUMBERS = ("observed", "sites_reported", "sites_expected", "tests", "positives")
COUNT_FIELDS = ("disease", "place", "country", "period", "year", "classification", "stratum", *NUMBERS)
COUNT_KEY = ("disease", "place", "period_type", "basis", "classification", "stratum", "start_on")
COUNT_SCHEMA = {
    "row": pl.Int64,
    "disease": pl.String,
    "place": pl.String,
    "period_type": pl.String,
    "basis": pl.String,
    "classification": pl.String,
    "stratum": pl.String,
    "start_on": pl.Date,
    **dict.fromkeys(NUMBERS, pl.Int64),
}
LARGEST = 2_000_000_000
_STEP = {"day": "1d", "week": "1w", "month": "1mo"}


def read_counts(
    frame: pl.DataFrame, *, mapping: Mapping, as_of_on: date, places: Places, diseases: Diseases, home: str = ""
) -> Outcome:
    """Return the counts of a file, each field validated and coded.

    Parameters
    ----------
    frame : polars.DataFrame
        Every column as text, as `corridor.base.textfiles.read_table` gives it.
    mapping : Mapping
        Where each of `COUNT_FIELDS` comes from. Needed: disease, place or country, period (or year and period), and
        observed or sites_reported.
    as_of_on : date
        Date of the extract: a period that begins later is impossible.
    places, diseases : the reference data
    home : code of the country whose places are meant first, where a name belongs to several

    Returns
    -------
    Outcome
        `kept` has the columns of `COUNT_SCHEMA`. An empty count is missing (null), never zero. Without a class the
        class is "all", without a stratum the stratum is "".

    Raises
    ------
    ColumnMissing
        If a needed field has no column.

    Notes
    -----
    With `mapping.cumulative` each count is the difference to the period before in its series; negative differences are
    corrections of earlier reports and are kept. The first period of a series, and a period after a gap, have no
    difference and are missing.
    """
    _require(frame, mapping)
    rejects = Rejects()
    reader = Reader(mapping=mapping, as_of_on=as_of_on, places=places, diseases=diseases, rejects=rejects, home=home)
    # A row for cases of unknown residence is not the country's total, which an empty place stands for.
    rows = reader.pick(frame, COUNT_FIELDS, verbatim=("place",))
    rows = reader.with_place(reader.with_disease(rows))
    rows, period = _with_period(rows, reader)
    rows = _with_class(rows, reader)
    rows = reader.short(rows.with_columns(pl.col("stratum").fill_null("")), "stratum")
    for name in NUMBERS:
        rows = _with_number(rows, name, reader)
    rows = _consistent(rows, reader)
    rows = rows.with_columns(pl.lit(period).alias("period_type"), pl.lit(mapping.basis).alias("basis"))
    rows = rejects.leave_out(
        rows, ~pl.struct(COUNT_KEY).is_first_distinct(), column=reader.column("period"), reason="duplicate-cell"
    )
    notes = [f"periods are read as {period}s, counted by date of {mapping.basis}"]
    if mapping.cumulative:
        rows, said = _differences(rows, period)
        notes.append(said)
    kept = rows.select(pl.col(name).cast(dtype) for name, dtype in COUNT_SCHEMA.items())
    return Outcome(kept=kept, rejects=rejects.table(), rows=frame.height, notes=tuple(notes))


def _require(frame: pl.DataFrame, mapping: Mapping) -> None:
    mapping.require("disease", headings=frame.columns)
    if not mapping.has("country"):
        mapping.require("place", headings=frame.columns)
    mapping.require("period", headings=frame.columns)
    if not (mapping.has("observed") or mapping.has("sites_reported")):
        raise ColumnMissing(
            f"no column holds `observed` (or `sites_reported`). The file has: {', '.join(frame.columns)}."
            " Name it with --column observed=HEADING, or under [columns] of the mapping."
        )


def _with_period(rows: pl.DataFrame, reader: Reader) -> tuple[pl.DataFrame, str]:
    """Return the rows with ``start_on``, and the period type: what the mapping says, else what the file shows."""
    rows = reader.needed(rows, "period")
    if reader.mapping.has("year"):
        # Year and number of the week, or of the month, stand in two columns.
        letter = "" if reader.mapping.period == "month" else "W"
        number = pl.col("period").str.extract(r"^[Ww]?(\d{1,2})$").str.zfill(2)
        rows = rows.with_columns((pl.col("year") + "-" + letter + number).alias("period"))
        rows = rows.with_columns(pl.col("period").fill_null("?"))
    period = reader.mapping.period or _guess_period(rows["period"])
    start = first_days(rows["period"], period=period, day_first=reader.mapping.day_first)
    rows = rows.with_columns(start.alias("start_on"))
    column = reader.column("period")
    rows = reader.rejects.leave_out(rows, pl.col("start_on").is_null(), column=column, reason="not-a-period")
    rows = reader.rejects.leave_out(rows, pl.col("start_on") < date(1900, 1, 1), column=column, reason="before-1900")
    rows = reader.rejects.leave_out(rows, pl.col("start_on") > reader.as_of_on, column=column, reason="in-the-future")
    return rows, period


def _guess_period(texts: pl.Series) -> str:
    """Return "week" where weeks are written, "month" where months are, "week" where all dates are a week apart."""
    filled = texts.drop_nulls()
    if filled.len() == 0:
        return "day"
    if filled.str.contains(r"(?i)^\d{4}-?(sun)?w\d{1,2}$").mean() > 0.5:  # type: ignore[operator]  # a float: not empty
        return "week"
    if filled.str.contains(r"^\d{4}([-/.]\d{1,2}|年\d{1,2}月)$").mean() > 0.5:  # type: ignore[operator]  # as above
        return "month"
    days = first_days(filled.unique(), period="day", day_first=True).drop_nulls().unique().sort()
    apart = days.diff().dt.total_days().drop_nulls()
    return "week" if apart.len() > 0 and (apart % 7 == 0).all() else "day"


def _with_class(rows: pl.DataFrame, reader: Reader) -> pl.DataFrame:
    table = code_table(CLASSIFICATION, {"all": "all", **reader.mapping.codes.get("classification", {})})
    read = rows.with_columns(codes(rows["classification"], table).alias("code"))
    read = reader.rejects.leave_out(
        read,
        pl.col("classification").is_not_null() & ~pl.col("code").is_in(["all", *CLASSIFICATION]).fill_null(value=False),
        column=reader.column("classification"),
        reason="unknown-code",
    )
    return read.with_columns(pl.col("code").fill_null("all").alias("classification")).drop("code")


def _with_number(rows: pl.DataFrame, name: str, reader: Reader) -> pl.DataFrame:
    column = reader.column(name)
    read = rows.with_columns(whole_numbers(rows[name]).alias("number"))
    read = reader.rejects.leave_out(
        read, pl.col(name).is_not_null() & pl.col("number").is_null(), column=column, reason="not-a-number"
    )
    read = reader.rejects.leave_out(read, pl.col("number").abs() > LARGEST, column=column, reason="number-too-large")
    signed = name == "observed" and reader.mapping.corrections and not reader.mapping.cumulative
    if not signed:
        read = reader.rejects.leave_out(read, pl.col("number") < 0, column=column, reason="negative-count")
    return read.drop(name).rename({"number": name})


def _consistent(rows: pl.DataFrame, reader: Reader) -> pl.DataFrame:
    rows = reader.rejects.leave_out(
        rows,
        pl.col("sites_reported") > pl.col("sites_expected"),
        column=reader.column("sites_reported"),
        reason="more-reported-than-expected",
    )
    return reader.rejects.leave_out(
        rows,
        pl.col("positives") > pl.col("tests"),
        column=reader.column("positives"),
        reason="more-positives-than-tests",
    )


def _differences(rows: pl.DataFrame, period: str) -> tuple[pl.DataFrame, str]:
    """Return the rows with `observed` as difference to the period before, and what was decided."""
    series = [name for name in COUNT_KEY if name != "start_on"]
    ordered = rows.sort([*series, "start_on"])
    before = pl.col("start_on").shift(1).over(series)
    follows = before.dt.offset_by(_STEP[period]) == pl.col("start_on")
    difference = pl.col("observed") - pl.col("observed").shift(1).over(series)
    counted = ordered.with_columns(pl.when(follows).then(difference).alias("difference"), before.alias("before"))
    first = counted.filter(pl.col("before").is_null()).height
    gaps = counted.filter(pl.col("before").is_not_null() & pl.col("difference").is_null()).height
    negative = counted.filter(pl.col("difference") < 0).height
    said = (
        f"running totals became differences: {first} first periods and {gaps} periods after a gap are missing,"
        f" {negative} negative corrections are kept"
    )
    return counted.drop("observed", "before").rename({"difference": "observed"}), said
