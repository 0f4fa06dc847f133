"""Files to validated frames: names, dates, rejects, cumulative series."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corridor.base.reference import diseases, places
from corridor.base.textfiles import read_table
from corridor.pillars.surveillance.tables import (
    CASE_FIELDS,
    COUNT_FIELDS,
    ColumnMissing,
    Mapping,
    MappingFault,
    Outcome,
    guess_mapping,
    load_mapping,
    override,
    read_counts,
    read_line_list,
)
from tests.shared import shared
from tests.surveillance.cases import case, count

AS_OF = date(2026, 6, 1)


def text_frame(rows: list[dict[str, object]]) -> pl.DataFrame:
    return read_table(pl.DataFrame(rows, infer_schema_length=None).write_csv().encode())


def cases_of(rows: list[dict[str, object]] | pl.DataFrame, mapping: Mapping | None = None) -> Outcome:
    frame = rows if isinstance(rows, pl.DataFrame) else text_frame(rows)
    whole = guess_mapping(frame.columns, fields=CASE_FIELDS, base=mapping)
    return read_line_list(frame, mapping=whole, as_of_on=AS_OF, places=places(), diseases=diseases())


def counts_of(rows: list[dict[str, object]] | pl.DataFrame, mapping: Mapping | None = None) -> Outcome:
    frame = rows if isinstance(rows, pl.DataFrame) else text_frame(rows)
    whole = guess_mapping(frame.columns, fields=COUNT_FIELDS, base=mapping)
    return read_counts(frame, mapping=whole, as_of_on=AS_OF, places=places(), diseases=diseases())


def only_fault(outcome: Outcome) -> tuple[int, str, str]:
    (row,) = outcome.rejects.iter_rows(named=True)
    return row["row"], row["column"], row["reason"]


@pytest.mark.parametrize(
    ("fields", "column", "reason"),
    [
        ({"place": "Atlantis"}, "place", "unknown-place"),
        ({"disease": "vapours"}, "disease", "unknown-disease"),
        ({"report_on": "2026-06-02"}, "report_on", "in-the-future"),
        ({"onset_on": "2026-03-01", "report_on": "2026-02-01"}, "onset_on", "onset-after-report"),
        ({"onset_on": "1899-12-31"}, "onset_on", "before-1900"),
        ({"onset_on": "31.02.2026"}, "onset_on", "not-a-date"),
        ({"onset_on": "", "report_on": ""}, "report_on", "missing-value"),
        ({"case_id": ""}, "case_id", "missing-value"),
        ({"case_id": "case-1"}, "case_id", "duplicate-id"),
        ({"case_id": "x" * 65}, "case_id", "text-too-long"),
    ],
)
def test_a_faulty_row_is_left_out_with_row_column_and_reason(
    fields: dict[str, object], column: str, reason: str
) -> None:
    outcome = cases_of([case(1), case(2, **fields), case(3)])

    assert only_fault(outcome) == (3, column, reason)
    assert outcome.kept["case_id"].to_list() == ["case-1", "case-3"]
    assert outcome.left_out == 1


@pytest.mark.parametrize(
    ("fields", "column", "reason", "field", "value"),
    [
        ({"age_years": "child"}, "age_years", "not-a-number", "age_years", None),
        ({"age_years": "140"}, "age_years", "impossible-age", "age_years", None),
        ({"sex": "q"}, "sex", "unknown-code", "sex", "unknown"),
        ({"classification": "perhaps"}, "classification", "unknown-code", "classification", "unknown"),
        ({"imported_from": "Atlantis"}, "imported_from", "unknown-place", "imported_from", None),
    ],
)
def test_a_faulty_detail_never_costs_the_case(
    fields: dict[str, object], column: str, reason: str, field: str, value: object
) -> None:
    outcome = cases_of([case(1), case(2, **fields)])

    assert only_fault(outcome) == (3, column, reason)
    assert outcome.rejects["effect"].to_list() == ["value read as unknown"]
    assert outcome.kept[field].to_list()[1] == value
    assert outcome.left_out == 0


@pytest.mark.parametrize("missing", ["", "?", "NA", "unknown", "不详", "неизвестно", "نامعلوم"])
def test_a_missing_age_or_sex_is_unknown_and_no_fault(missing: str) -> None:
    outcome = cases_of([case(1, age_years=missing, sex=missing)])

    assert outcome.rejects.is_empty()
    assert outcome.kept.row(0, named=True)["age_years"] is None
    assert outcome.kept["sex"].to_list() == ["unknown"]


def test_rejects_hold_no_value_of_a_case() -> None:
    outcome = cases_of([case(1, case_id="Zainab", place="Her village", age_years="seven", sex="girl child")])

    written = outcome.rejects.write_csv()
    assert not any(value in written for value in ("Zainab", "village", "seven", "girl"))
    assert set(outcome.rejects.columns) == {"row", "column", "reason", "expected", "effect"}


@pytest.mark.parametrize(
    "written",
    [
        "2026-01-31", "2026/1/31", "20260131", "31.01.2026", "31/01/2026", "31-01-2026", "31 Jan 2026", "31-янв-2026",
        "2026年1月31日", "2026-01-31T10:15:00Z", "31/01/2026 10:15", "۲۰۲۶-۰۱-۳۱",
    ],
)  # fmt: skip
def test_dates_are_read_in_the_forms_in_use(written: str) -> None:
    outcome = cases_of([case(1, onset_on="", report_on=written)])

    assert outcome.kept["report_on"].to_list() == [date(2026, 1, 31)]


def test_the_day_comes_first_unless_the_mapping_says_otherwise() -> None:
    row = case(1, onset_on="03/04/2026", report_on="03.04.2026")

    assert cases_of([row]).kept["onset_on"].to_list() == [date(2026, 4, 3)]
    month_first = cases_of([row], Mapping(day_first=False)).kept
    assert month_first["onset_on"].to_list() == [date(2026, 3, 4)]
    assert month_first["report_on"].to_list() == [date(2026, 4, 3)]


@given(st.dates(date(1900, 1, 1), AS_OF), st.sampled_from(["%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%Y%m%d", "%d %b %Y"]))
def test_every_possible_date_survives_being_written(day: date, form: str) -> None:
    outcome = cases_of([case(1, onset_on="", report_on=day.strftime(form))])

    assert outcome.kept["report_on"].to_list() == [day]


@pytest.mark.parametrize(
    "headings",
    [
        ("病例编号", "疾病名称", "现住址", "发病日期", "报告日期", "年龄", "性别", "病例分类"),
        ("Номер случая", "Диагноз", "Регион", "Дата заболевания", "Дата регистрации", "Возраст", "Пол", "Статус"),
        ("شناخت", "بیماری", "صوبہ", "تاریخ آغاز", "تاریخ اطلاع", "عمر", "جنس", "درجہ بندی"),
        ("EPID No", "Condition", "Province", "Date of onset", "Date of report", "Age", "Gender", "Case status"),
    ],
)
def test_usual_headings_of_four_languages_are_recognised(headings: tuple[str, ...]) -> None:
    fields = ("case_id", "disease", "place", "onset_on", "report_on", "age_years", "sex", "classification")

    assert guess_mapping(headings, fields=CASE_FIELDS).columns == dict(zip(fields, headings, strict=True))


def test_legacy_encodings_are_read() -> None:
    text = "Номер случая;Диагноз;Регион;Дата регистрации;Пол\n1;Корь;Московская область;31.01.2026;муж\n"
    outcome = cases_of(read_table(text.encode("windows-1251")))

    assert outcome.kept.select("disease", "place", "sex").row(0) == ("measles", "RU-MOS", "male")


def test_a_mapping_from_toml_names_columns_constants_and_codes() -> None:
    mapping = load_mapping(
        b'[columns]\ncase_id = "nr"\nreport_on = "day"\nplace = "where"\nsex = "s"\n[constants]\ndisease = "measles"\n'
        b'[codes.sex]\n"1" = "male"\n"2" = "female"\n[codes.place]\n"the north" = "PK-GB"\n'
        b'[options]\ncountry = "PK"\n',
        fields=CASE_FIELDS,
    )  # fmt: skip
    outcome = cases_of(text_frame([{"nr": "1", "day": "2026-01-31", "where": "the north", "s": "2"}]), mapping)

    assert outcome.kept.select("disease", "place", "sex").row(0) == ("measles", "PK-GB", "female")


@pytest.mark.parametrize(
    "text",
    ["not toml", "[columns]\nshoe_size = 'a'", "[options]\nday_first = 'yes'", "[options]\nperiod = 'year'", "[more]"],
)
def test_a_faulty_mapping_is_refused(text: str) -> None:
    with pytest.raises(MappingFault):
        load_mapping(text.encode(), fields=CASE_FIELDS)


def test_a_missing_column_is_named_with_what_the_file_has() -> None:
    with pytest.raises(ColumnMissing, match=r"`disease`.*case_id, place.*--column disease=HEADING"):
        cases_of(text_frame([{"case_id": "1", "place": "PK-PB", "report_on": "2026-01-31"}]))
    with pytest.raises(ColumnMissing, match="`Sickness`"):
        cases_of([case(1)], override(Mapping(), columns={"disease": "Sickness"}, fields=CASE_FIELDS))


@pytest.mark.parametrize(
    ("fields", "column", "reason"),
    [
        ({"observed": "-3"}, "observed", "negative-count"),
        ({"observed": "3.5"}, "observed", "not-a-number"),
        ({"observed": "99999999999"}, "observed", "number-too-large"),
        ({"week": "2026-W54"}, "week", "not-a-period"),
        ({"week": "2026-W30"}, "week", "in-the-future"),
        ({"sites_reported": 9}, "sites_reported", "more-reported-than-expected"),
        ({"positives": 9}, "positives", "more-positives-than-tests"),
        ({"week": "2026-W02"}, "week", "duplicate-cell"),
    ],
)
def test_a_faulty_count_is_left_out(fields: dict[str, object], column: str, reason: str) -> None:
    more = {"sites_reported": 3, "sites_expected": 4, "tests": 5, "positives": 2}
    outcome = counts_of([count("2026-W02", 7, **more), {**count("2026-W03", 8), **more, **fields}])

    assert only_fault(outcome) == (3, column, reason)
    assert outcome.kept["observed"].to_list() == [7]


def test_zero_is_data_and_an_empty_count_is_missing() -> None:
    outcome = counts_of([count("2026-W02", 0), count("2026-W03", "")])

    assert outcome.kept["observed"].to_list() == [0, None]
    assert outcome.rejects.is_empty()


@pytest.mark.parametrize(
    ("written", "period", "start"),
    [
        (["2026-W02", "2026W3"], "week", date(2026, 1, 5)),
        (["2026-01", "2026-02"], "month", date(2026, 1, 1)),
        (["2026-01-05", "2026-01-12"], "week", date(2026, 1, 5)),
        (["2026-01-05", "2026-01-06"], "day", date(2026, 1, 5)),
    ],
)
def test_the_kind_of_period_is_told_by_the_file(written: list[str], period: str, start: date) -> None:
    outcome = counts_of([count("", 1, week=text) for text in written])

    assert outcome.kept["period_type"].unique().to_list() == [period]
    assert outcome.kept["start_on"].to_list()[0] == start


def test_year_and_week_may_stand_in_two_columns() -> None:
    rows = [{"disease": "measles", "place": "PK-PB", "year": 2026, "week": week, "observed": week} for week in (1, 2)]

    assert counts_of(rows).kept["start_on"].to_list() == [date(2025, 12, 29), date(2026, 1, 5)]


def test_a_country_alone_is_the_country_and_a_place_is_looked_up_within_it() -> None:
    rows = [
        {"disease": "measles", "country": "Pakistan", "admin1": "", "week": "2026-W02", "observed": 9},
        {"disease": "measles", "country": "Pakistan", "admin1": "Punjab", "week": "2026-W02", "observed": 5},
        {"disease": "measles", "country": "Pakistan", "admin1": "Unknown", "week": "2026-W02", "observed": 4},
    ]
    outcome = counts_of(rows)

    assert outcome.kept["place"].to_list() == ["PK", "PK-PB"]
    assert only_fault(outcome) == (4, "admin1", "unknown-place")


days = st.lists(st.integers(-50, 500), min_size=1, max_size=30)


@given(days, st.integers(0, 10_000))
def test_running_totals_become_the_counts_that_they_were_made_of(counts: list[int], before: int) -> None:
    totals = [before]
    for new in counts:
        totals.append(max(0, totals[-1] + new))
    expected = [later - earlier for earlier, later in pairwise(totals)]
    rows = [
        {"disease": "measles", "place": "PK-PB", "date": str(date(2026, 1, 1) + timedelta(days=day)), "observed": total}
        for day, total in enumerate(totals)
    ]
    outcome = counts_of(rows[::-1], Mapping(cumulative=True, period="day"))

    assert outcome.kept.sort("start_on")["observed"].to_list() == [None, *expected]
    assert outcome.rejects.is_empty()


def test_a_gap_in_running_totals_is_missing_and_not_one_large_day() -> None:
    rows = [
        {"disease": "measles", "place": "PK-PB", "date": f"2026-01-{day:02}", "observed": total}
        for day, total in ((1, 10), (2, 12), (5, 40), (6, 41))
    ]
    outcome = counts_of(rows, Mapping(cumulative=True, period="day"))

    assert outcome.kept["observed"].to_list() == [None, 2, None, 1]
    assert "1 periods after a gap are missing" in outcome.notes[1]


def test_the_provinces_of_three_countries_are_all_found() -> None:
    russia = read_table(shared("data/covid/russia_regions_daily.csv.gz"))
    base = Mapping(
        columns={"place": "region_name_ru", "observed": "cum_confirmed"},
        constants={"disease": "covid-19"},
        country="RU",
        cumulative=True,
    )
    outcome = counts_of(russia, base)

    assert outcome.reasons() == {"unknown-place": 467}  # the rows of the total, "Всего"
    assert outcome.kept["place"].n_unique() == 64


def test_real_line_lists_keep_every_case_with_a_date() -> None:
    frame = read_table(shared("data/linelist/fluH7N9_china_2013.csv"))
    outcome = cases_of(frame, Mapping(constants={"disease": "measles"}, country="CN"))

    assert outcome.reasons() == {"missing-value": 10}
    assert outcome.kept.height == 126
    assert outcome.kept["age_years"].null_count() == 0  # the two "?" stand in rows without a date
