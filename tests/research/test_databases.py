"""A site's table out of its own database: by one query, read only, and no word of the connection is kept."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pytest
from django.test import override_settings

from corridor.base.textfiles import read_table
from corridor.pillars.research.services.databases import ConnectionUnfit, QueryFault, read_database
from corridor.pillars.research.tables import SiteMapping, harmonise, load_site_mapping
from tests.postgres import new_database
from tests.research.studies import GOLDEN, breast_protocol

CREATE = (
    "CREATE TABLE registry (pid TEXT, age_months INTEGER, post_menopausal BOOLEAN, size TEXT, grade INTEGER,"
    " nodes INTEGER, pgr NUMERIC, er NUMERIC, tamoxifen BOOLEAN, days INTEGER, recurred BOOLEAN)"
)
QUERY = """
SELECT pid, age_months, post_menopausal, size, grade, nodes, pgr / 1.0 AS pgr, er, tamoxifen, days, recurred
FROM registry WHERE nodes >= 0 ORDER BY pid;
"""
MAPPING = """
[columns]
patient_id = "pid"
age_years = "age_months"
meno = "post_menopausal"
size_cat = "size"
pgr_fmol = "pgr"
er_fmol = "er"
hormon = "tamoxifen"
time_days = "days"
event = "recurred"

[scale.age_years]
times = 0.083333333333333333

[codes.size_cat]
small = "le20"
medium = "gt20_le50"
large = "gt50"
"""
SIZES = {"le20": "small", "gt20_le50": "medium", "gt50": "large"}


def registry() -> list[tuple[object, ...]]:
    """Return the German cohort as a registry of other names, units and codes would hold it."""
    frame = read_table(GOLDEN / "site_de.csv")
    return [
        (
            row["patient_id"],
            int(row["age_years"]) * 12,
            row["meno"] == "1",
            SIZES[row["size_cat"]],
            int(row["grade"]),
            int(row["nodes"]),
            row["pgr_fmol"],
            row["er_fmol"],
            row["hormon"] == "1",
            int(row["time_days"]),
            row["event"] == "1",
        )
        for row in frame.iter_rows(named=True)
    ]


@pytest.fixture(params=["sqlite", "postgresql"])
def source(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the name of a connection to a registry."""
    if request.param == "sqlite":
        path = tmp_path / "registry of 2026.db"
        with sqlite3.connect(path) as database:
            database.execute(CREATE)
            database.executemany(f"INSERT INTO registry VALUES ({', '.join('?' * 11)})", registry())
        monkeypatch.setenv("REGISTRY_URL", f"sqlite:///{path}")
        return "env:REGISTRY_URL"
    import psycopg

    url = new_database()
    with psycopg.connect(url) as connection:
        connection.execute(CREATE)
        connection.cursor().executemany(f"INSERT INTO registry VALUES ({', '.join(['%s'] * 11)})", registry())
    monkeypatch.setenv("REGISTRY_URL", url)
    return "env:REGISTRY_URL"


def test_a_registry_in_a_database_comes_to_the_rows_of_the_protocol(source: str) -> None:
    _, protocol = breast_protocol()
    mapping = load_site_mapping(MAPPING, variables=[variable.name for variable in protocol.variables])
    found = harmonise(read_database(source, QUERY), protocol=protocol, mapping=mapping).table
    expected = harmonise(read_table(GOLDEN / "site_de.csv"), protocol=protocol, mapping=SiteMapping()).table
    order = np.argsort(np.array(expected.persons))
    assert found.persons == tuple(np.array(expected.persons)[order])
    for name, values in expected.columns.items():
        np.testing.assert_allclose(found.columns[name], values[order], rtol=1e-12, err_msg=name)


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM registry",
        "DELETE FROM registry RETURNING pid",
        "UPDATE registry SET nodes = 0",
        "CREATE TABLE other (a INTEGER)",
        "SELECT 1 AS a; DELETE FROM registry",
        "COPY registry TO '/tmp/stolen'",
        "ATTACH DATABASE '/tmp/other.db' AS other",
        "",
    ],
)
def test_a_query_that_does_more_than_read_is_refused_and_changes_nothing(source: str, query: str) -> None:
    with pytest.raises(QueryFault):
        read_database(source, query)
    assert read_database(source, "SELECT count(*) AS rows FROM registry")["rows"].to_list() == ["686"]


def test_a_fault_of_the_query_quotes_no_value(source: str) -> None:
    with pytest.raises(QueryFault) as caught:
        read_database(source, "SELECT nothing_such('DE-0132') FROM registry")
    assert "DE-0132" not in str(caught.value)


def test_a_connection_that_cannot_be_opened_is_named_without_its_url(monkeypatch: pytest.MonkeyPatch) -> None:
    for url in ("postgresql://reader:secret@127.0.0.1:1/registry", "mysql://reader:secret@host/registry"):
        monkeypatch.setenv("REGISTRY_URL", url)
        with pytest.raises(ConnectionUnfit) as caught:
            read_database("env:REGISTRY_URL", "SELECT 1")
        assert "secret" not in str(caught.value)
    with pytest.raises(ConnectionUnfit) as caught:
        read_database("postgresql://reader:secret@host/registry", "SELECT 1")
    assert "secret" not in str(caught.value)
    with pytest.raises(ConnectionUnfit, match="no variable MISSING_URL"):
        read_database("env:MISSING_URL", "SELECT 1")


def test_a_file_with_the_url_lies_outside_the_home(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    database = tmp_path / "registry.db"
    with sqlite3.connect(database) as made:
        made.execute("CREATE TABLE registry (pid TEXT)")
    for folder in (home, tmp_path):
        (folder / "registry.url").write_text(f"sqlite:///{database}\n", encoding="utf-8")
    with override_settings(CORRIDOR_HOME=home):
        with pytest.raises(ConnectionUnfit, match="lies in the node's home"):
            read_database(f"file:{home / 'registry.url'}", "SELECT pid FROM registry")
        assert read_database(f"file:{tmp_path / 'registry.url'}", "SELECT pid FROM registry").columns == ["pid"]
