"""Rows that are frozen anew after corrections: which persons differ, and whether asking again would tell them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from corridor.pillars.research.models import Run, Snapshot
from corridor.pillars.research.rules.disclosure import corrected_rows, tells_few_corrections
from corridor.pillars.research.rules.rows import Mask, SiteTable
from corridor.pillars.research.services.corrections import FewCorrections, RowsGone
from tests.exchange.nodes import Corridor
from tests.research.studies import GOLDEN, SITES, StudyCorridor, breast_protocol, corrected_file

PERSONS = 100
EVERYBODY = np.ones(PERSONS, dtype=bool)


def _table(**columns: list[float]) -> SiteTable:
    size = len(next(iter(columns.values())))
    return SiteTable(
        {name: np.array(values, float) for name, values in columns.items()}, tuple(f"p{each}" for each in range(size))
    )


def _persons(*chosen: int) -> Mask:
    mask = np.zeros(PERSONS, dtype=bool)
    mask[list(chosen)] = True
    return mask


def test_persons_whose_value_differs_are_found_by_variable_and_a_missing_value_is_a_value() -> None:
    former = _table(age=[50, 60, np.nan, np.nan, 70], nodes=[1, 2, 3, 4, 5])
    latter = _table(age=[50, 61, np.nan, 40, 70], nodes=[1, 2, 3, 4, 5])
    found = corrected_rows(former, latter)
    assert {name: rows.tolist() for name, rows in found.items()} == {"age": [False, True, False, True, False]}


def test_order_and_spelling_of_persons_and_those_in_one_table_alone_are_no_correction() -> None:
    former = SiteTable({"age": np.array([50.0, 60.0, 70.0])}, ("a", "b", "gone"))
    latter = SiteTable({"age": np.array([60.0, 80.0, 50.0])}, (" B", "new", "A"))
    assert corrected_rows(former, latter) == {}


def test_of_a_person_with_several_rows_every_row_is_told_and_another_number_of_rows_differs() -> None:
    former = SiteTable({"age": np.array([50.0, 51.0, 60.0])}, ("a", "a", "b"))
    latter = SiteTable({"age": np.array([51.0, 52.0, 60.0, 60.0])}, ("a", "a", "b", "b"))
    assert corrected_rows(former, latter)["age"].tolist() == [True] * 4
    swapped = SiteTable({"age": np.array([51.0, 50.0, 60.0])}, ("a", "a", "b"))
    assert corrected_rows(former, swapped) == {}


@pytest.mark.parametrize(("persons", "told"), [(0, False), (1, True), (4, True), (5, False), (40, False)])
def test_corrections_of_fewer_than_k_persons_are_told_by_asking_again(persons: int, told: bool) -> None:
    assert tells([_persons(*range(persons))], [EVERYBODY]) is told


def test_corrections_of_many_persons_of_whom_few_are_in_a_group_are_told_by_the_groups_sums() -> None:
    corrected = _persons(*range(10))
    younger, all_but_one = _persons(*range(7, 60)), _persons(*range(1, 100))
    assert not tells([corrected], [EVERYBODY, _persons(*range(5, 60))])
    assert tells([corrected], [younger])
    assert tells([corrected], [EVERYBODY, all_but_one])


def test_a_group_that_is_asked_of_one_table_alone_tells_no_correction() -> None:
    corrected, younger = _persons(*range(10)), _persons(*range(7, 60))
    assert not tells([corrected], [EVERYBODY], latter=[EVERYBODY, younger])
    assert not tells([corrected], [EVERYBODY, younger], latter=[EVERYBODY])
    # The group by itself was not asked of the former rows, but everybody and the others were.
    assert tells([corrected], [EVERYBODY, EVERYBODY & ~younger], latter=[younger])


def test_each_variable_counts_by_itself() -> None:
    many, one = _persons(*range(20)), _persons(50)
    assert tells([many, one], [EVERYBODY])
    assert not tells([many, many], [EVERYBODY])


def tells(corrected: list[Mask], former: list[Mask], *, latter: list[Mask] | None = None) -> bool:
    return tells_few_corrections(corrected, former=former, latter=former if latter is None else latter, smallest=5)


@pytest.fixture
def study(make_corridor: Callable[..., Corridor]) -> StudyCorridor:
    made = StudyCorridor(make_corridor(*SITES.values()), *breast_protocol())
    made.ready()
    return made


def _signed(study: StudyCorridor) -> int:
    with study.nodes["de"]:
        return Snapshot.objects.filter(signed_at__isnull=False).count()


def test_rows_that_correct_one_person_are_not_signed_once_numbers_left_and_the_former_ones_go_on(
    study: StudyCorridor, tmp_path: Path
) -> None:
    study.request("baseline-numbers")
    study.settle()
    with pytest.raises(FewCorrections, match="fewer than 5 persons") as refused:
        study.freeze("de", corrected_file(tmp_path, persons=1))
    assert "Keep the former rows" in str(refused.value)
    assert _signed(study) == 1
    run = study.request("primary")
    study.settle()
    assert study.run(run, "de").state == "done"


def test_rows_that_correct_one_person_are_signed_where_nothing_left_yet(study: StudyCorridor, tmp_path: Path) -> None:
    study.freeze("de", corrected_file(tmp_path, persons=1))
    assert _signed(study) == 2


def test_rows_that_correct_everybody_are_signed(study: StudyCorridor, tmp_path: Path) -> None:
    study.request("baseline-numbers")
    study.settle()
    study.freeze("de", corrected_file(tmp_path, persons=686))
    assert _signed(study) == 2


def test_rows_that_cannot_be_compared_are_not_signed_before_the_former_ones_are_back(
    study: StudyCorridor, tmp_path: Path
) -> None:
    study.request("baseline-numbers")
    study.settle()
    with study.nodes["de"] as node:
        for path in (node.home / "research").glob("*.rows"):
            path.unlink()
    with pytest.raises(RowsGone, match="Freeze the same rows anew"):
        study.freeze("de", corrected_file(tmp_path, persons=686))
    study.freeze("de", GOLDEN / "site_de.csv")
    study.freeze("de", corrected_file(tmp_path, persons=686))
    assert _signed(study) == 2


def test_rows_that_a_restored_database_does_not_know_are_compared_once_they_are_frozen_anew(
    study: StudyCorridor, tmp_path: Path
) -> None:
    study.request("baseline-numbers")
    study.settle()
    with study.nodes["de"]:
        Snapshot.objects.all().delete()
    with pytest.raises(RowsGone):
        study.freeze("de", corrected_file(tmp_path, persons=1))
    study.freeze("de", GOLDEN / "site_de.csv")
    with pytest.raises(FewCorrections):
        study.freeze("de", corrected_file(tmp_path, persons=1))


def test_a_group_of_few_corrections_is_told_of_the_former_or_of_the_latter_rows_and_not_of_both(
    make_corridor: Callable[..., Corridor], tmp_path: Path
) -> None:
    def change(members: dict[str, Any]) -> None:
        few = [{"variable": "age_years", "at_most": 55}]
        members["analyses"] = [
            {"id": "all", "kind": "moments", "title": {"en": "all"}, "variables": ["nodes"]},
            {"id": "young", "kind": "moments", "title": {"en": "young"}, "variables": ["nodes"], "where": few},
        ]

    study = StudyCorridor(make_corridor(*SITES.values()), *breast_protocol(change))
    study.ready()
    study.request("all")
    study.settle()
    study.freeze("de", corrected_file(tmp_path, persons=10))
    for analysis in ("all", "young"):
        latter = study.request(analysis)
        study.settle()
        assert (study.run(latter, "nl").state, study.run(latter, "nl").reasons) == ("done", [])

    # A run that began on the former rows goes on upon them: three of the ten are not in its group.
    former = study.request("young")
    study.corridor.settle()
    with study.nodes["de"]:
        Run.objects.filter(pk=former).update(snapshot=Snapshot.objects.order_by("signed_at")[0].hash)
    study.settle()
    found = study.run(former, "nl")
    assert (found.state, found.at_site, found.reasons) == ("refused", "de", ["corrections: rows"])
