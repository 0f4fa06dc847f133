"""The two breast cancer cohorts of `research/` as arrays, and R's results on them."""

import csv
import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent / "research"
TERMS = (
    "hormon",
    "age_years",
    "meno",
    "size_20_50",
    "size_gt50",
    "grade3",
    "nodes",
    "log1p_pgr",
    "log1p_er",
)
STUDIES = ("node_positive", "all", "node_positive_sens")


@dataclass(frozen=True)
class Cohort:
    """One site's rows of a study: times in days, events, covariates in the order of `TERMS`."""

    times: np.ndarray
    events: np.ndarray
    covariates: np.ndarray

    @property
    def hormon(self) -> np.ndarray:
        """Hormonal therapy, 0 or 1: the exposure."""
        return self.covariates[:, 0]


def golden(study: str = "node_positive") -> dict[str, Any]:
    """Return R's results on a study."""
    found: dict[str, Any] = json.loads(gzip.decompress((FOLDER / f"golden_{study}.json.gz").read_bytes()))
    return found


def cohorts(study: str = "node_positive") -> dict[str, Cohort]:
    """Return the rows of each site in a study, NL first."""
    return {site: _cohort(site, study) for site in ("NL", "DE")}


def pooled(study: str = "node_positive") -> Cohort:
    """Return the rows of both sites under each other."""
    parts = cohorts(study).values()
    return Cohort(
        np.concatenate([part.times for part in parts]),
        np.concatenate([part.events for part in parts]),
        np.concatenate([part.covariates for part in parts]),
    )


def treatment_weights(study: str = "node_positive") -> list[np.ndarray]:
    """Return the weights 1/e and 1/(1-e) of each site's rows, e from R's pooled propensity model."""
    model = golden(study)["logistic_ps_pooled_site_indicator"]
    coef = dict(zip(model["terms"], model["coef"], strict=True))
    weights = []
    for number, cohort in enumerate(cohorts(study).values()):
        predictor = coef["(Intercept)"] + number * coef["siteDE"]
        for name, column in zip(TERMS[1:], cohort.covariates.T[1:], strict=True):
            predictor = predictor + coef[name] * column
        score = 1 / (1 + np.exp(-predictor))
        weights.append(np.where(cohort.hormon == 1, 1 / score, 1 / (1 - score)))
    return weights


def _cohort(site: str, study: str) -> Cohort:
    with (FOLDER / f"site_{site.lower()}.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if study == "all" or int(row["nodes"]) > 0]
    ending = "_sens" if study.endswith("sens") else ""
    covariates = [
        [
            float(row["hormon"]),
            float(row["age_years"]),
            float(row["meno"]),
            float(row["size_cat"] == "gt20_le50"),
            float(row["size_cat"] == "gt50"),
            float(row["grade"] == "3"),
            float(row["nodes"]),
            np.log1p(float(row["pgr_fmol"])),
            np.log1p(float(row["er_fmol"])),
        ]
        for row in rows
    ]
    return Cohort(
        np.array([float(row[f"time_days{ending}"]) for row in rows]),
        np.array([int(row[f"event{ending}"]) for row in rows]),
        np.array(covariates),
    )
