"""The two breast cancer cohorts and their study, as an attacker with a valid agreement would bend the protocol."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from corridor.base.textfiles import read_table
from corridor.pillars.research.rules.protocol import Protocol, draft_protocol, read_protocol
from corridor.pillars.research.rules.rows import SiteTable
from corridor.pillars.research.tables import SiteMapping, harmonise

__all__ = ["GOLDEN", "TERMS", "analysis", "bent_protocol", "tables"]

GOLDEN = Path(__file__).parents[1] / "golden" / "research"
TERMS = ("hormon", "age", "meno", "size_20_50", "size_gt50", "grade3", "nodes", "log1p_pgr", "log1p_er")


def bent_protocol(
    *analyses: dict[str, Any],
    terms: list[dict[str, Any]] | None = None,
    change: Callable[[dict[str, Any]], None] | None = None,
) -> Protocol:
    """Return the study with other `analyses`, more `terms`, and whatever `change` does to its members."""
    text = resources.files("corridor.demo").joinpath("breast-hormone.toml").read_text(encoding="utf-8")
    members = tomllib.loads(text)
    if analyses:
        members["analyses"] = list(analyses)
    members["terms"].extend(terms or [])
    if change is not None:
        change(members)
    return read_protocol(draft_protocol(members))


def analysis(name: str, kind: str, **options: Any) -> dict[str, Any]:
    """Return one entry of a plan."""
    return {"id": name, "kind": kind, "title": {"en": name}, **options}


@cache
def tables() -> dict[str, SiteTable]:
    """Return the rows of both sites, which an attacker never sees; attacks are held against them."""
    protocol = bent_protocol()
    return {
        site: harmonise(read_table(GOLDEN / f"site_{site}.csv"), protocol=protocol, mapping=SiteMapping()).table
        for site in ("nl", "de")
    }
