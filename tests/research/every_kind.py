"""A study whose plan has every kind of analysis, over the two cohorts with what they lack made from the row's number.

Delayed entry and a competing event are made by the rules of ``tests/golden/research/coarse.R``: they are no findings.
"""

from __future__ import annotations

import csv
import json
import tomllib
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

from corridor.pillars.research.rules.protocol import Protocol
from tests.research.studies import GOLDEN, SITES, breast_protocol, protocol_text

__all__ = ["GROUPS", "PLAN", "protocol_of", "toml_of", "write_cohorts"]

TERMS = ["hormon", "age", "meno", "size_20_50", "size_gt50", "grade3", "nodes", "log1p_pgr", "log1p_er"]
RFS = {"endpoint": "rfs"}
PLAN: dict[str, dict[str, Any]] = {
    "counts": {"kind": "counts", "variables": ["hormon", "meno", "size_cat", "grade"]},
    "moments": {"kind": "moments", "variables": ["age_years", "nodes"], "by": "hormon"},
    "ages": {"kind": "quantiles", "variable": "age_years", "step": 1},
    "receptors": {"kind": "quantiles", "variable": "pgr_fmol", "step": 10, "by": "hormon"},
    "primary": {"kind": "cox", **RFS, "terms": TERMS, "concordance": True, "proportional_hazards": "log"},
    "robust": {"kind": "cox", **RFS, "terms": ["hormon", "age", "meno"], "robust": True},
    "one-risk-set": {"kind": "cox-unstratified", **RFS, "terms": ["hormon"]},
    "one-risk-set-breslow": {"kind": "cox-unstratified", **RFS, "terms": ["hormon", "age"], "ties": "breslow"},
    "all-pairs": {"kind": "concordance", **RFS, "terms": TERMS},
    "logrank": {"kind": "logrank", **RFS, "by": "hormon"},
    "peto": {"kind": "logrank", **RFS, "by": "hormon", "weights": "peto-peto"},
    "curves": {"kind": "kaplan-meier", **RFS, "by": "hormon", "tau": 1000, "by_site": True, "weights": "peto-peto"},
    "competing": {"kind": "kaplan-meier", "endpoint": "first_of_two"},
    "entered": {"kind": "kaplan-meier", "endpoint": "entered"},
    "treated": {"kind": "logistic", "outcome": "hormon", "terms": TERMS[1:]},
    "rates": {"kind": "poisson", **RFS, "terms": TERMS},
    "age": {"kind": "linear", "outcome": "age_years", "terms": [term for term in TERMS if term != "age"]},
    "weighted": {"kind": "weighting", **RFS, "propensity": TERMS[1:]},
    "by-site": {"kind": "meta", **RFS, "terms": TERMS},
}
"""The entries of the plan by name, without their titles."""
BY_TIME = ("curves", "competing", "entered")
GROUPS = (tuple(name for name in PLAN if name not in BY_TIME), *((name,) for name in BY_TIME))
"""What one study can have released together: curves of the same patients on other intervals would be subtracted."""
VARIABLES = """
[[variables]]
name = "entry_days"
type = "whole"
unit = "days"
label = { en = "Days to the begin of observation" }

[[variables]]
name = "relapse"
type = "flag"
label = { en = "The event by one cause" }

[[variables]]
name = "other"
type = "flag"
label = { en = "The event by the other cause" }

[[endpoints]]
name = "first_of_two"
time = "time_days"
event = "relapse"
competing = "other"

[[endpoints]]
name = "entered"
time = "time_days"
event = "event"
entry = "entry_days"
"""


def toml_of(names: Sequence[str], *, missing: str = "complete-cases") -> str:
    """Return the study of the demonstration with these entries of the plan and the variables that they need."""
    text = protocol_text()
    text = (
        text[: text.index("[[analyses]]")].replace('missing = "complete-cases"', f'missing = "{missing}"') + VARIABLES
    )
    for name in names:
        options = "".join(f"{key} = {json.dumps(value)}\n" for key, value in PLAN[name].items())
        text += f'\n[[analyses]]\nid = "{name}"\ntitle = {{ en = "{name}" }}\n{options}'
    return text


def protocol_of(names: Sequence[str]) -> tuple[bytes, Protocol]:
    """Return the canonical bytes of `toml_of` and the protocol."""

    def change(members: dict[str, Any]) -> None:
        members.clear()
        members.update(tomllib.loads(toml_of(names)))

    return breast_protocol(change)


def write_cohorts(folder: Path, *, without_age: int = 0) -> dict[str, Path]:
    """Write both cohorts with the additional columns, and return the file of each site.

    Row i of the node-positive patients, those of Rotterdam first, enters at a tenth of its time as often as i leaves a
    remainder by 5, and has the event by the other cause where i is a multiple of 3. The first `without_age` of each
    site lack their age.
    """
    number, files = count(), {}
    for site in SITES:
        with (GOLDEN / f"site_{site}.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        lacking = without_age
        for row in rows:
            is_in = int(row["nodes"]) > 0
            place = next(number) if is_in else 0
            row["entry_days"] = str(int(row["time_days"]) * (place % 5) // 10)
            row["other"] = str(int(row["event"]) * (place % 3 == 0))
            row["relapse"] = str(int(row["event"]) * (place % 3 != 0))
            if is_in and lacking:
                row["age_years"], lacking = "", lacking - 1
        files[site] = folder / f"site_{site}.csv"
        with files[site].open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return files
