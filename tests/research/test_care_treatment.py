"""Treatment protocols: read with every fault named, one hash, compared side by side."""

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corridor.base.differences import SidePair, differences, side_by_side
from corridor.base.errors import WrongUsage
from corridor.exchange.rules.canonical import canonical
from corridor.pillars.research.reference import reference_names, reference_text
from corridor.pillars.research.rules.care import (
    MalformedTreatment,
    compare_treatments,
    draft_treatment,
    read_treatment,
    treatment_from_toml,
)

TREATMENTS = ("bone-metastasis", "breast-cancer", "thalassaemia")


def members(name: str = "breast-cancer") -> dict[str, Any]:
    return tomllib.loads(reference_text(name))


def faults(value: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(MalformedTreatment) as caught:
        draft_treatment(value)
    return {fault.pointer: fault.text for fault in caught.value.faults}


@pytest.mark.parametrize("name", TREATMENTS)
def test_each_reference_protocol_is_whole_and_uses_all_its_sources(name: str) -> None:
    treatment = treatment_from_toml(reference_text(name))

    parts = [
        entry
        for key in ("eligibility", "surgery", "regimens", "targets", "palliative")
        for entry in treatment.document.get(key, [])
    ]
    used = {source for entry in parts for source in entry["sources"]}
    assert used == {source["id"] for source in treatment.document["sources"]}
    assert set(treatment.title) == {"en", "zh-hans", "ru", "ur"}


def test_an_unknown_reference_names_those_that_there_are() -> None:
    with pytest.raises(WrongUsage, match="breast-cancer"):
        reference_text("influenza")
    assert set(TREATMENTS) <= set(reference_names())


def test_the_hash_is_of_the_content_and_not_of_its_spelling() -> None:
    text = reference_text("breast-cancer")

    assert treatment_from_toml(text).hash == treatment_from_toml("# a remark\n" + text).hash
    assert treatment_from_toml(text).hash != treatment_from_toml(text.replace("dose = 60,", "dose = 61,")).hash
    assert read_treatment(draft_treatment(text)) == treatment_from_toml(text)


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        (lambda v: v["regimens"][0].update(until="the end"), "/regimens/0/cycles"),
        (lambda v: v["regimens"][0].pop("cycles"), "/regimens/0/cycles"),
        (lambda v: v["regimens"][0].update(sources=["nobody-2020"]), "/regimens/0/sources"),
        (lambda v: v["regimens"][0].update(sources=[]), "/regimens/0/sources"),
        (lambda v: v["regimens"][0]["drugs"][1].update(unit="mg per m2"), "/regimens/0/drugs/1/unit"),
        (lambda v: v["regimens"][0]["drugs"][1].update(drug="doxorubicin"), "/regimens/0/drugs/1/drug"),
        (lambda v: v["regimens"][0]["drugs"][1].update(days=[22]), "/regimens/0/drugs/1/days/0"),
        (lambda v: v["regimens"][0]["drugs"][1].update(days=[8, 1]), "/regimens/0/drugs/1/days"),
        (lambda v: v["regimens"][0]["drugs"][1].update(dose_to=600), "/regimens/0/drugs/1/dose_to"),
        (lambda v: v["regimens"][1].update(id="ac"), "/regimens/1/id"),
        (lambda v: v["sources"][0].update(published="spring 1990"), "/sources/0/published"),
        (lambda v: v.update(adopted_on="2026-02-30"), "/adopted_on"),
        (lambda v: v["disease"].update(icd10="breast"), "/disease/icd10"),
        (lambda v: v.update(remark="none"), "/remark"),
    ],
)
def test_a_fault_is_named_by_its_place(change: Any, pointer: str) -> None:
    value = members()
    change(value)

    assert pointer in faults(value)


def test_a_target_needs_a_bound_and_its_bounds_in_order() -> None:
    value = members("thalassaemia")
    value["targets"] = [
        {"id": "a", "measure": "x", "unit": "g/dL", "sources": ["tif-2021"]},
        {"id": "b", "measure": "x", "unit": "g/dL", "sources": ["tif-2021"], "least": 10, "most": 9},
    ]

    assert set(faults(value)) == {"/targets/0/least", "/targets/1/most"}


def test_every_fault_is_told_at_once() -> None:
    value = members()
    value["version"], value["title"] = 0, {}
    del value["side"]

    assert {"/version", "/title", "/side"} <= set(faults(value))


def test_text_that_is_no_toml_is_refused_as_such() -> None:
    with pytest.raises(MalformedTreatment, match="no TOML"):
        draft_treatment("id = ")


def test_two_protocols_stand_side_by_side_with_what_differs_marked() -> None:
    theirs = members()
    theirs["regimens"] = theirs["regimens"][1:] + theirs["regimens"][:1]  # moved: no change
    theirs["regimens"][-1]["cycles"] = 6
    theirs["surgery"] = theirs["surgery"][:1]
    pairs = compare_treatments(treatment_from_toml(reference_text("breast-cancer")), _treatment(theirs))

    differing = {pair.path: (pair.left, pair.right) for pair in pairs if pair.differs}
    assert differing.pop(("regimens", "ac", "cycles")) == (4, 6)
    assert {path[:2] for path in differing} == {("surgery", "axilla")}
    assert all(right is None for _, right in differing.values())
    same = {pair.path for pair in pairs if not pair.differs}
    assert ("regimens", "ac", "drugs", "doxorubicin", "dose") in same


def _treatment(value: dict[str, Any]) -> Any:
    return read_treatment(draft_treatment(value))


def test_a_document_that_is_not_canonical_is_refused() -> None:
    document = draft_treatment(reference_text("thalassaemia"))

    with pytest.raises(Exception, match="canonical"):
        read_treatment(document + b"\n")
    assert read_treatment(canonical(members_of(document))).hash == read_treatment(document).hash


def members_of(document: bytes) -> Any:
    return read_treatment(document).document


_VALUES = st.recursive(
    st.booleans() | st.integers(-3, 3) | st.sampled_from(["x", "y"]),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "list"]), inner, min_size=1, max_size=3)
        | st.lists(
            st.fixed_dictionaries({"id": st.sampled_from(["p", "q", "r"])}, optional={"v": inner}),
            min_size=1,
            max_size=3,
            unique_by=lambda entry: entry["id"],
        )
    ),
    max_leaves=12,
)


@given(_VALUES, _VALUES)
def test_both_ways_to_compare_agree_on_whether_anything_differs(left: Any, right: Any) -> None:
    """An entry of a list that has nothing but its name leaves no row of its own."""
    differing = [pair for pair in side_by_side(left, right, named_by={"list": "id"}) if pair.differs]
    found = differences(left, right, named_by={"list": "id"})

    assert bool(differing) <= bool(found)
    for each in found:
        has_only_a_name = any(isinstance(side, dict) and set(side) == {"id"} for side in (each.old, each.new))
        assert has_only_a_name or any(pair.path[: len(each.path)] == each.path for pair in differing)


@given(_VALUES)
def test_a_document_beside_itself_differs_nowhere(value: Any) -> None:
    assert differences(value, value, named_by={"list": "id"}) == []
    assert not any(pair.differs for pair in side_by_side(value, value, named_by={"list": "id"}))


def test_the_name_of_an_entry_stands_in_its_path_alone() -> None:
    pairs = side_by_side({"list": [{"id": "p", "v": 1}]}, {"list": []}, named_by={"list": "id"})

    assert pairs == [SidePair(("list", "p", "v"), 1, None)]
