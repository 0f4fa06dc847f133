"""The steps that line lists and counts share: pick the columns, resolve places and diseases, check dates."""

from dataclasses import dataclass
from datetime import date

import polars as pl

from corridor.base.reference import Diseases, Places
from corridor.base.tablecells import dates, present, resolved, trimmed
from corridor.pillars.surveillance.tables.mapping import ColumnMissing, Mapping
from corridor.pillars.surveillance.tables.rejects import Rejects

__all__ = ["Reader"]

MAX_TEXT = 64
EARLIEST = date(1900, 1, 1)


@dataclass(frozen=True, kw_only=True)
class Reader:
    """What is needed to read the columns of one file.

    Attributes
    ----------
    mapping : where each field comes from
    as_of_on : date of the extract; nothing may have happened later
    places, diseases : the reference data that names are resolved by
    home : code of the country whose places are meant first, where a name belongs to several
    rejects : where faults go
    """

    mapping: Mapping
    as_of_on: date
    places: Places
    diseases: Diseases
    rejects: Rejects
    home: str = ""

    def pick(self, frame: pl.DataFrame, fields: tuple[str, ...], *, verbatim: tuple[str, ...] = ()) -> pl.DataFrame:
        """Return one text column for each field, and ``row``; a field without a source is null throughout.

        In `verbatim` fields a word such as "unknown" is a text like any other; elsewhere it is an empty cell.

        Raises
        ------
        ColumnMissing
            If the mapping names a heading that the file does not have.
        """
        for name, heading in self.mapping.columns.items():
            if heading not in frame.columns:
                found = ", ".join(frame.columns)
                raise ColumnMissing(
                    f"`{name}` is to be read from the column `{heading}`, which the file does not have."
                    f" It has: {found}."
                )
        return frame.select(
            pl.int_range(2, pl.len() + 2, dtype=pl.Int64).alias("row"),
            *(self._source(name, verbatim=name in verbatim).alias(name) for name in fields),
        )

    def _source(self, name: str, *, verbatim: bool) -> pl.Expr:
        if name in self.mapping.columns:
            cell = pl.col(self.mapping.columns[name])
            return trimmed(cell) if verbatim else present(cell)
        return pl.lit(self.mapping.constants.get(name), dtype=pl.String)

    def column(self, name: str) -> str:
        """Return how a field is called in the rejects: the heading in the file, else the field."""
        return self.mapping.columns.get(name, name)

    def needed(self, frame: pl.DataFrame, name: str) -> pl.DataFrame:
        """Return the rows in which a field is present."""
        return self.rejects.leave_out(frame, pl.col(name).is_null(), column=self.column(name), reason="missing-value")

    def short(self, frame: pl.DataFrame, name: str) -> pl.DataFrame:
        """Return the rows in which a text is at most 64 characters long."""
        return self.rejects.leave_out(
            frame, pl.col(name).str.len_chars() > MAX_TEXT, column=self.column(name), reason="text-too-long"
        )

    def with_disease(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return the rows whose disease is known, the column ``disease`` as code."""
        frame = self.needed(frame, "disease")
        extra = {text.strip().lower(): code for text, code in self.mapping.codes.get("disease", {}).items()}

        def code(text: str) -> str | None:
            found = self.diseases.resolve(extra.get(text.lower(), text))
            return None if found is None else found.code

        frame = frame.with_columns(resolved(frame["disease"], code))
        return self.rejects.leave_out(
            frame, pl.col("disease").is_null(), column=self.column("disease"), reason="unknown-disease"
        )

    def with_place(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return the rows whose place is known, the column ``place`` as code; ``country`` is used up.

        Where a country is given, names are looked up within it, and an empty place is the country itself.
        """
        frame = self.rejects.leave_out(
            frame,
            pl.col("place").is_null() & pl.col("country").is_null(),
            column=self.column("place"),
            reason="missing-value",
        )
        extra = {text.strip().lower(): code for text, code in self.mapping.codes.get("place", {}).items()}
        pairs = frame.select("country", "place").unique()
        codes = [
            self._place(country, extra.get(place.lower(), place) if place is not None else None)
            for country, place in pairs.iter_rows()
        ]
        known = pairs.with_columns(pl.Series("code", codes, dtype=pl.String))
        frame = frame.join(known, on=["country", "place"], how="left", nulls_equal=True, maintain_order="left")
        frame = self.rejects.leave_out(
            frame, pl.col("code").is_null(), column=self.column("place"), reason="unknown-place"
        )
        return frame.drop("country", "place").rename({"code": "place"})

    def _place(self, country: str | None, place: str | None) -> str | None:
        within = self.mapping.country or None
        if country is not None:
            found = self.places.resolve(country)
            if found is None or found.level != "country":
                return None
            if place is None:
                return found.code
            within = found.code
        found = self.places.resolve(place or "", within=within or self.home or None)
        if found is None and within is None and self.home:
            found = self.places.resolve(place or "")
        return None if found is None else found.code

    def with_date(self, frame: pl.DataFrame, name: str) -> pl.DataFrame:
        """Return the rows whose date `name` is empty or possible, the column as date."""
        column = self.column(name)
        read = dates(frame[name], day_first=self.mapping.day_first)
        frame = frame.with_columns(read.alias("read"))
        frame = self.rejects.leave_out(
            frame, pl.col(name).is_not_null() & pl.col("read").is_null(), column=column, reason="not-a-date"
        )
        frame = frame.drop(name).rename({"read": name})
        return self.within_time(frame, name)

    def within_time(self, frame: pl.DataFrame, name: str) -> pl.DataFrame:
        """Return the rows whose date `name` is empty, or from 1900 on and not after the as-of date."""
        column = self.column(name)
        frame = self.rejects.leave_out(frame, pl.col(name) < EARLIEST, column=column, reason="before-1900")
        return self.rejects.leave_out(frame, pl.col(name) > self.as_of_on, column=column, reason="in-the-future")
