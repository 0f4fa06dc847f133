"""Cells to values, column by column: only the distinct texts of a column are looked at one by one."""

import re
from collections.abc import Callable
from datetime import date

import polars as pl

from corridor.base.epiweek import ImpossibleWeek, Week

__all__ = ["codes", "dates", "first_days", "numbers", "present", "resolved", "trimmed", "whole_numbers"]

# What people write for "not known"; such cells are empty, not wrong.
# fmt: off
_MISSING_CELLS = (
    "?", "??", "-", "--", ".", "na", "n/a", "n.a.", "nan", "null", "none", "nil", "unk", "unknown", "not known",
    "not stated", "unspecified", "missing", "不详", "未知", "不明", "无", "неизвестно", "неизв.", "нет данных", "н/д",
    "не указано", "نامعلوم", "معلوم نہیں", "غیر معلوم",
)
# fmt: on

_YEAR_FIRST = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})")
_YEAR_LAST = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})")
_CHINESE = re.compile(r"(\d{4})年(\d{1,2})月(\d{1,2})[日号]?")
_NAMED_MONTH = re.compile(r"(\d{1,2})[-\s./]*([^\W\d_]{3,9})\.?[-\s,./]*(\d{4})")
_MONTH = re.compile(r"(\d{4})[-/.](\d{1,2})|(\d{4})年(\d{1,2})月")
_NUMBER = re.compile(r"[+-]?\d{1,15}([.,]0+)?")
_DECIMAL = re.compile(r"[+-]?(\d{1,15}([.,]\d{1,30})?|[.,]\d{1,30})([eE][+-]?\d{1,3})?")
_CLOCK = r"[T\s]+\d{1,2}:\d{2}.*$"
_MONTH_STARTS = (
    "jan янв", "feb фев", "mar мар", "apr апр", "may май мая", "jun июн",
    "jul июл", "aug авг", "sep сен", "oct окт", "nov ноя", "dec дек",
)  # fmt: skip
_MONTH_NAMES = {start: number for number, starts in enumerate(_MONTH_STARTS, start=1) for start in starts.split()}


def present(column: pl.Expr) -> pl.Expr:
    """Return the trimmed text of a column; blank cells and the usual words for "not known" become null."""
    text = trimmed(column)
    return pl.when(~text.str.to_lowercase().is_in(_MISSING_CELLS)).then(text)


def trimmed(column: pl.Expr) -> pl.Expr:
    """Return the text of a column without blanks around it; blank cells become null."""
    text = column.str.strip_chars()
    return pl.when(text != "").then(text)


def resolved(column: pl.Series, meaning: Callable[[str], object], *, dtype: type[pl.DataType] = pl.String) -> pl.Series:
    """Return `meaning` of each cell, called once for each distinct text; null where it gives None."""
    texts = column.drop_nulls().unique()
    if texts.len() == 0:
        return pl.Series(column.name, [None] * column.len(), dtype=dtype)
    meanings = pl.Series([meaning(text) for text in texts], dtype=dtype)
    return column.replace_strict(texts, meanings, default=None, return_dtype=dtype)


def dates(column: pl.Series, *, day_first: bool) -> pl.Series:
    """Return the dates of a column of texts; null where a text is no date. A time of day is cut off."""
    days = column.str.replace(_CLOCK, "")
    return resolved(days, lambda text: _date(text, day_first=day_first), dtype=pl.Date)


def _date(text: str, *, day_first: bool) -> date | None:
    for pattern in (_YEAR_FIRST, _CHINESE, _COMPACT):
        if found := pattern.fullmatch(text):
            return _day(found[1], found[2], found[3])
    if found := _YEAR_LAST.fullmatch(text):
        # Points are written day first in every country that uses them.
        day, month = (found[1], found[2]) if day_first or "." in text else (found[2], found[1])
        return _day(found[3], month, day)
    if found := _NAMED_MONTH.fullmatch(text):
        month_number = _MONTH_NAMES.get(found[2].lower()[:3])
        return None if month_number is None else _day(found[3], str(month_number), found[1])
    return None


def _day(year: str, month: str, day: str) -> date | None:
    try:
        # int() reads the digits of every script, Urdu's among them.
        return date(int(year), int(month), int(day))
    except ValueError:
        return None


def first_days(column: pl.Series, *, period: str, day_first: bool) -> pl.Series:
    """Return the first day of the period that each text names; null where it names none.

    `period` is "day", "week" (ISO, written as week or as any day in it) or "month".
    """

    def first(text: str) -> date | None:
        if period == "week":
            try:
                return Week.parse(text).start
            except ImpossibleWeek:
                day = _date(text, day_first=day_first)
                return None if day is None else Week.of(day).start
        if period == "month" and (found := _MONTH.fullmatch(text)):
            return _day(found[1] or found[3], found[2] or found[4], "1")
        day = _date(text, day_first=day_first)
        return day.replace(day=1) if day is not None and period == "month" else day

    return resolved(column.str.replace(_CLOCK, ""), first, dtype=pl.Date)


def whole_numbers(column: pl.Series) -> pl.Series:
    """Return the whole numbers of a column of texts (``12``, ``12.0``); null where a text is none."""

    def number(text: str) -> int | None:
        if not _NUMBER.fullmatch(text):
            return None
        return int(re.split("[.,]", text)[0])

    return resolved(column, number, dtype=pl.Int64)


def numbers(column: pl.Series) -> pl.Series:
    """Return the numbers of a column of texts, with decimal point or comma; null where a text is none."""

    def number(text: str) -> float | None:
        return float(text.replace(",", ".")) if _DECIMAL.fullmatch(text) else None

    return resolved(column, number, dtype=pl.Float64)


def codes(column: pl.Series, table: dict[str, str]) -> pl.Series:
    """Return the code of each text by `table`, whose keys are in lower case; null where it has none."""
    return resolved(column, lambda text: table.get(text.lower()))
