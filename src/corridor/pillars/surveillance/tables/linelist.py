"""Line lists: one row a case."""

from datetime import date

import polars as pl

from corridor.base.reference import Diseases, Places
from corridor.base.tablecells import codes, resolved
from corridor.pillars.surveillance.tables.codes import CLASSIFICATION, OUTCOME, SEX, code_table
from corridor.pillars.surveillance.tables.columns import Reader
from corridor.pillars.surveillance.tables.mapping import ColumnMissing, Mapping
from corridor.pillars.surveillance.tables.rejects import Outcome, Rejects

__all__ = ["CASE_FIELDS", "CASE_SCHEMA", "read_line_list"]

CASE_FIELDS = (
    "case_id",
    "disease",
    "place",
    "country",
    "onset_on",
    "report_on",
    "age_years",
    "sex",
    "classification",
    "outcome",
    "imported_from",
)
CASE_SCHEMA = {
    "row": pl.Int64,
    "case_id": pl.String,
    "disease": pl.String,
    "place": pl.String,
    "onset_on": pl.Date,
    "report_on": pl.Date,
    "age_years": pl.Int16,
    "sex": pl.String,
    "classification": pl.String,
    "outcome": pl.String,
    "imported_from": pl.String,
}
OLDEST = 130


def read_line_list(
    frame: pl.DataFrame, *, mapping: Mapping, as_of_on: date, places: Places, diseases: Diseases, home: str = ""
) -> Outcome:
    """Return the cases of a line list, each field validated and coded.

    Parameters
    ----------
    frame : polars.DataFrame
        Every column as text, as `corridor.base.textfiles.read_table` gives it.
    mapping : Mapping
        Where each of `CASE_FIELDS` comes from. Needed: case_id, disease, place or country, and onset_on or report_on.
    as_of_on : date
        Date of the extract: a later date in the file is impossible.
    places, diseases : the reference data
    home : code of the country whose places are meant first, where a name belongs to several

    Returns
    -------
    Outcome
        `kept` has the columns of `CASE_SCHEMA`. A missing or unreadable age is null; a missing or unreadable sex,
        class or outcome is "unknown": a case is never lost for them. A case without any date is left out.

    Raises
    ------
    ColumnMissing
        If a needed field has no column.
    """
    _require(frame, mapping)
    rejects = Rejects()
    reader = Reader(mapping=mapping, as_of_on=as_of_on, places=places, diseases=diseases, rejects=rejects, home=home)
    cases = reader.pick(frame, CASE_FIELDS)
    cases = reader.short(reader.needed(cases, "case_id"), "case_id")
    cases = reader.with_place(reader.with_disease(cases))
    for name in ("onset_on", "report_on"):
        cases = reader.with_date(cases, name)
    cases = rejects.leave_out(
        cases,
        pl.col("onset_on").is_null() & pl.col("report_on").is_null(),
        column=reader.column("report_on"),
        reason="missing-value",
    )
    cases = rejects.leave_out(
        cases, pl.col("onset_on") > pl.col("report_on"), column=reader.column("onset_on"), reason="onset-after-report"
    )
    cases = rejects.leave_out(
        cases, ~pl.col("case_id").is_first_distinct(), column=reader.column("case_id"), reason="duplicate-id"
    )
    cases = _with_age(cases, reader)
    for name, words in (("sex", SEX), ("classification", CLASSIFICATION), ("outcome", OUTCOME)):
        cases = _with_code(cases, name, words, reader)
    cases = _with_origin(cases, reader)
    kept = cases.select(pl.col(name).cast(dtype) for name, dtype in CASE_SCHEMA.items())
    return Outcome(kept=kept, rejects=rejects.table(), rows=frame.height, notes=_notes(mapping))


def _require(frame: pl.DataFrame, mapping: Mapping) -> None:
    mapping.require("case_id", headings=frame.columns)
    mapping.require("disease", headings=frame.columns)
    if not mapping.has("country"):
        mapping.require("place", headings=frame.columns)
    if not (mapping.has("onset_on") or mapping.has("report_on")):
        raise ColumnMissing(
            f"no column holds `onset_on` or `report_on`. The file has: {', '.join(frame.columns)}."
            " Name one with --column report_on=HEADING, or under [columns] of the mapping."
        )


def _with_age(cases: pl.DataFrame, reader: Reader) -> pl.DataFrame:
    column = reader.column("age_years")

    def years(text: str) -> float | None:
        try:
            return float(text.replace(",", "."))
        except ValueError:
            return None

    read = cases.with_columns(resolved(cases["age_years"], years, dtype=pl.Float64).alias("years"))
    read = reader.rejects.as_unknown(
        read,
        "age_years",
        pl.col("age_years").is_not_null() & pl.col("years").is_null(),
        column=column,
        reason="not-a-number",
    )
    possible = pl.col("years").is_between(0, OLDEST) & pl.col("years").is_finite()
    read = reader.rejects.as_unknown(read, "years", ~possible, column=column, reason="impossible-age")
    return read.drop("age_years").with_columns(pl.col("years").floor().cast(pl.Int16).alias("age_years"))


def _with_code(cases: pl.DataFrame, name: str, words: dict[str, str], reader: Reader) -> pl.DataFrame:
    table = code_table(words, dict(reader.mapping.codes.get(name, {})))
    read = cases.with_columns(codes(cases[name], table).alias("code"))
    read = reader.rejects.as_unknown(
        read,
        name,
        pl.col(name).is_not_null() & (pl.col("code").is_null() | ~pl.col("code").is_in(list(words))),
        column=reader.column(name),
        reason="unknown-code",
    )
    coded = pl.when(pl.col("code").is_in(list(words))).then(pl.col("code")).otherwise(pl.lit("unknown"))
    return read.with_columns(coded.alias(name)).drop("code")


def _with_origin(cases: pl.DataFrame, reader: Reader) -> pl.DataFrame:
    def code(text: str) -> str | None:
        found = reader.places.resolve(text)
        return None if found is None else found.code

    read = cases.with_columns(resolved(cases["imported_from"], code).alias("origin"))
    read = reader.rejects.as_unknown(
        read,
        "imported_from",
        pl.col("imported_from").is_not_null() & pl.col("origin").is_null(),
        column=reader.column("imported_from"),
        reason="unknown-place",
    )
    return read.drop("imported_from").rename({"origin": "imported_from"})


def _notes(mapping: Mapping) -> tuple[str, ...]:
    rule = "day first" if mapping.day_first else "month first"
    return (f"dates with two numbers before the year are read {rule}; with points always day first",)
