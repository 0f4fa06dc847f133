"""Each kind of analysis over the two cohorts, disclosure control on, gives the numbers of pooled rows."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from corridor.base.textfiles import read_table
from corridor.pillars.research.rules.disclosure import Policy
from corridor.pillars.research.rules.ledger import Ledger, MemoryLedger
from corridor.pillars.research.rules.protocol import Protocol
from corridor.pillars.research.rules.protocol.reading import MalformedProtocol
from corridor.pillars.research.rules.rehearsal import run_on_tables
from corridor.pillars.research.rules.rows import SiteTable
from corridor.pillars.research.tables import SiteMapping, harmonise
from tests.golden.breast_cancer import golden
from tests.research.studies import GOLDEN, SITES, breast_protocol

MODEL = 1e-8
ENDPOINT = {"endpoint": "rfs"}
TERMS = ["hormon", "age", "meno", "size_20_50", "size_gt50", "grade3", "nodes", "log1p_pgr", "log1p_er"]


@cache
def site_tables() -> dict[str, SiteTable]:
    """Return the rows of both cohorts, in the variables of the study."""
    _, protocol = breast_protocol()
    return {
        site: harmonise(read_table(GOLDEN / f"site_{site}.csv"), protocol=protocol, mapping=SiteMapping()).table
        for site in SITES
    }


def protocol_with(kind: str, change: Callable[[dict[str, Any]], None] | None = None, **options: Any) -> Protocol:
    """Return the study with one analysis, `x`, of a kind."""

    def only(members: dict[str, Any]) -> None:
        members["analyses"] = [{"id": "x", "kind": kind, "title": {"en": "x"}, **options}]
        if change is not None:
            change(members)

    return breast_protocol(only)[1]


def run(protocol: Protocol, *, tables: dict[str, SiteTable] | None = None, **found: Any) -> dict[str, Any]:
    """Return what the analysis `x` gives under the protocol's disclosure rule, or under `policy`."""
    rows = tables or site_tables()
    ledgers: dict[str, Ledger] = {site: MemoryLedger(table, site) for site, table in rows.items()}
    policy = found.get("policy") or Policy.of(protocol.disclosure)
    return run_on_tables(protocol, "x", tables=rows, policy=policy, ledgers=ledgers)


def done(protocol: Protocol, **found: Any) -> dict[str, Any]:
    """Return the result of the analysis `x`, which must have one."""
    result = run(protocol, **found)
    assert result["state"] == "done", result["reasons"]
    return result


def by_site(protocol: Protocol, change: Callable[[str, dict[str, np.ndarray]], None]) -> dict[str, SiteTable]:
    """Return the cohorts after `change` to copies of the columns of each site."""
    changed = {}
    for site, table in site_tables().items():
        columns = {name: values.copy() for name, values in table.columns.items()}
        change(site, columns)
        changed[site] = SiteTable(columns, table.persons)
    return changed


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("transform", ["identity", "log"])
def test_proportional_hazards_over_sites_are_tested_as_in_r(ties, transform):
    options = {"terms": TERMS, "ties": ties, "proportional_hazards": transform}
    expected = golden()["ph_test"][f"stratified_by_site_{ties}"][transform]

    result = done(protocol_with("cox", **ENDPOINT, **options))

    found = result["values"]["proportional_hazards"]
    tests = [*found["terms"], found["together"]]
    np.testing.assert_allclose([test["statistic"] for test in tests], expected["chisq"], rtol=MODEL)
    np.testing.assert_allclose([test["p"] for test in tests], expected["p"], rtol=MODEL)
    assert ("hazards-not-proportional" in result["warnings"]) == (expected["p"][-1] < 0.05)


def test_a_subgroup_is_the_fit_of_its_rows_alone():
    where = [{"variable": "nodes", "above": 3}]
    whole = done(protocol_with("cox", lambda members: members.update(population=where), **ENDPOINT, terms=TERMS))

    part = done(protocol_with("cox", where=where, **ENDPOINT, terms=TERMS))

    assert part["values"] == whole["values"]


def test_logrank_over_sites_is_that_of_r():
    expected = golden()["logrank"]["stratified_by_site"]

    result = done(protocol_with("logrank", **ENDPOINT, by="hormon"))

    found = result["values"]
    assert result["precision"] == "exact"
    np.testing.assert_allclose(found["observed"], expected["observed"], rtol=MODEL)
    np.testing.assert_allclose(found["expected"], expected["expected"], rtol=MODEL)
    assert found["test"]["statistic"] == pytest.approx(expected["chisq"], rel=MODEL)
    assert found["test"]["p"] == pytest.approx(expected["p"], rel=MODEL)
    assert found["test"]["df"] == expected["df"]


def test_an_arm_of_a_stratum_with_few_events_stops_the_logrank_test():
    protocol = protocol_with("logrank", **ENDPOINT, by="hormon", strata="grade")

    def spare_the_treated(site, columns):
        columns["event"][(columns["hormon"] == 1) & (columns["grade"] == 2) & (site == "de")] = 0

    result = run(protocol, tables=by_site(protocol, spare_the_treated))

    assert (result["state"], result["site"]) == ("refused", "de")
    assert "events: 1 (grade=3)" in result["reasons"]


@pytest.mark.parametrize(
    ("kind", "options", "pointer"),
    [
        ("cox", {"terms": TERMS, "proportional_hazards": "rank"}, "/analyses/0/proportional_hazards"),
        ("logrank", {"by": "nodes"}, "/analyses/0/by"),
        ("logrank", {"by": "hormon", "strata": "age_years"}, "/analyses/0/strata"),
    ],
)
def test_an_option_that_no_analysis_has_is_named(kind, options, pointer):
    with pytest.raises(MalformedProtocol) as fault:
        protocol_with(kind, **ENDPOINT, **options)

    assert [each.pointer for each in fault.value.faults] == [pointer]


@pytest.mark.parametrize(
    ("kind", "instead"),
    [
        ("kaplan-meier-daily", "kaplan-meier"),
        ("risk-sets", "cox"),
        ("extremes", "quantiles"),
        ("ranks", "moments"),
        ("rows", "counts"),
    ],
)
def test_what_is_refused_says_what_to_ask_for_instead(kind, instead):
    with pytest.raises(MalformedProtocol) as fault:
        protocol_with(kind)

    assert "refused" in str(fault.value)
    assert instead in str(fault.value)
