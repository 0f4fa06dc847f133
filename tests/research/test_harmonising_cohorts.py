"""Cohorts with other names, units and codes come to the rows of the protocol."""

from __future__ import annotations

from dataclasses import replace
from importlib import resources
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from corridor.base.textfiles import read_table
from corridor.pillars.research.tables import (
    Harmonised,
    NotOneRow,
    SiteMapping,
    harmonise,
    load_site_mapping,
    site_mapping_text,
)
from tests.research.studies import GOLDEN, breast_protocol

COHORT = Path(__file__).with_name("cohort")
SHARED = Path(__file__).parents[3] / "shared" / "golden" / "research"
NAN = float("nan")


def mapped(name: str) -> SiteMapping:
    """Return a mapping of the folder."""
    _, protocol = breast_protocol()
    text = (COHORT / f"{name}.toml").read_text(encoding="utf-8")
    return load_site_mapping(text, variables=[variable.name for variable in protocol.variables])


def read(path: Path, mapping: SiteMapping) -> Harmonised:
    """Return the harmonised rows of a file."""
    return harmonise(read_table(path), protocol=breast_protocol()[1], mapping=mapping)


def test_a_registry_in_months_centimetres_and_other_words_comes_to_the_protocols_units_and_codes() -> None:
    found = read(COHORT / "registry.csv", mapped("registry"))
    expected = {
        "age_years": [62, 44, 51, 73, 40, 55],
        "meno": [1, 0, 1, 1, 0, NAN],
        "size_cat": [0, 1, 1, 2, 0, 1],
        "grade": [1, 2, 1, 2, 0, NAN],
        "nodes": [3, 1, 7, 12, 2, 4],
        "pgr_fmol": [35, 0, 1200, 10, 66, 5],
        "er_fmol": [291, 12, 4, 0, 102, 30],
        "hormon": [0, 1, 0, 1, 0, 1],
        "time_days": [1799, 402, 911, 150, 2500, 1310],
        "event": [0, 1, 1, 1, 0, 0],
    }
    assert found.table.persons == ("R-01", "R-02", "R-03", "R-04", "R-05", "R-06")
    for name, values in expected.items():
        np.testing.assert_allclose(found.table.columns[name], values, rtol=1e-12, err_msg=name)
    reports = {each.name: each for each in found.report.variables}
    assert (reports["meno"].missing, reports["meno"].unmapped) == (1, ())
    assert (reports["grade"].missing, reports["grade"].unmapped) == (1, (("IV", 1),))


def test_an_export_of_redcap_comes_to_one_row_for_each_record() -> None:
    found = read(COHORT / "redcap.csv", mapped("redcap"))
    expected = {
        "age_years": [62, 44, 51],
        "meno": [1, 0, 1],
        "size_cat": [0, 1, 1],
        "hormon": [0, 1, NAN],
        "time_days": [1799, 402, NAN],
        "event": [0, 1, NAN],
    }
    assert found.table.persons == ("1", "2", "3")
    for name, values in expected.items():
        np.testing.assert_array_equal(found.table.columns[name], values, err_msg=name)


def test_an_export_of_redcap_that_repeats_an_event_is_refused() -> None:
    frame = read_table(COHORT / "redcap.csv")
    with pytest.raises(NotOneRow, match="1 rows of the export repeat the event"):
        harmonise(pl.concat([frame, frame.head(1)]), protocol=breast_protocol()[1], mapping=mapped("redcap"))


@pytest.mark.parametrize("text", ["0.09300090867820417", "0,03500000000000000000", "2.148885018349650123e-03"])
def test_a_number_with_more_decimals_than_a_double_holds_is_read(text: str) -> None:
    frame = read_table(GOLDEN / "site_de.csv").with_columns(pgr_fmol=pl.lit(text))
    found = harmonise(frame, protocol=breast_protocol()[1], mapping=SiteMapping())
    assert set(found.table.columns["pgr_fmol"]) == {float(text.replace(",", "."))}


@pytest.mark.skipif(not SHARED.exists(), reason="the source files are not here")
@pytest.mark.parametrize(("source", "site"), [("rotterdam", "nl"), ("gbsg", "de")])
def test_the_source_files_of_both_cohorts_come_to_the_sites_of_the_golden_results(source: str, site: str) -> None:
    found = read(SHARED / f"source_{source}.csv", mapped(source))
    expected = read(GOLDEN / f"site_{site}.csv", SiteMapping())
    assert set(found.table.columns) == set(expected.table.columns)
    for name, values in expected.table.columns.items():
        np.testing.assert_array_equal(found.table.columns[name], values, err_msg=name)
    assert [int(person.partition("-")[2]) for person in expected.table.persons] == [
        int(person) for person in found.table.persons
    ]


@pytest.mark.parametrize(("cohort", "site"), [("rotterdam", "nl"), ("gbsg", "de")])
def test_the_cohorts_of_the_demonstration_are_those_of_the_golden_results(cohort: str, site: str) -> None:
    shipped = resources.files("corridor.demo").joinpath(f"cohort-{cohort}.csv").read_bytes()
    assert shipped == (GOLDEN / f"site_{site}.csv").read_bytes()


def test_the_first_rows_that_cannot_be_used_are_named_as_the_file_counts_them() -> None:
    found = read(COHORT / "registry.csv", mapped("registry"))
    reports = {each.name: each for each in found.report.variables}

    # Row 7 has the grade IV; its menopause is unknown, which is no fault of the cell.
    assert reports["grade"].first_rows == (7,)
    assert reports["meno"].first_rows == ()


def test_an_export_of_redcap_names_no_rows_since_records_are_put_together_of_several() -> None:
    found = read(COHORT / "redcap.csv", mapped("redcap"))

    assert {each.first_rows for each in found.report.variables} == {()}


def test_rows_without_a_pseudonym_are_left_out_and_named(tmp_path: Path) -> None:
    lines = (GOLDEN / "site_nl.csv").read_text(encoding="utf-8").splitlines()[:8]
    place = lines[0].split(",").index("patient_id")
    cells = lines[3].split(",")
    cells[place] = ""
    lines[3] = ",".join(cells)
    grade = lines[0].split(",").index("grade")
    lines[5] = ",".join("?9" if number == grade else cell for number, cell in enumerate(lines[5].split(",")))
    path = tmp_path / "rows.csv"
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")

    reports = {each.name: each for each in read(path, SiteMapping()).report.variables}

    assert reports["patient_id"].first_rows == (4,)
    assert reports["grade"].first_rows == (6,)


@pytest.mark.parametrize("name", ["registry", "redcap"])
def test_a_mapping_written_as_text_is_read_back_as_the_same(name: str) -> None:
    mapping = mapped(name)
    odd = replace(
        mapping,
        day_first=False,
        constants={**mapping.constants, "meno": 'a "quoted" \\ word\n\x7f'},
        codes={**mapping.codes, "grade": {"سوم = 3 # \t": "3"}},
    )
    _, protocol = breast_protocol()
    variables = [variable.name for variable in protocol.variables]

    for each in (mapping, odd, SiteMapping()):
        assert load_site_mapping(site_mapping_text(each), variables=variables) == each
