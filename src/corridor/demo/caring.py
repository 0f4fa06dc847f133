"""What clinicians and stewards of a node do for follow-up care, for the player; every patient is simulated."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

from corridor.base.streams import stream
from corridor.demo.people import now, staff

__all__ = ["OPERATIONS", "SCHEDULE"]

SCHEDULE = "breast-cancer-follow-up"
_LATEST_DAYS = 900
_LEFT_OUT = {"PK": ("trastuzumab",), "CN": ("dose-dense-ac", "dose-dense-paclitaxel")}
"""Regimens that the simulated protocol of a side does without."""
_TEN_YEARS = """
[[sources]]
id = "atlas-2013"
citation = "Davies C, Pan H, Godwin J, et al. (ATLAS). Lancet 2013;381(9869):805-816."
published = "2013-03"
"""


def publish_treatment(country: str, institution: str) -> str:
    """Publish this side's simulated protocol, made of the published regimens, and return its hash."""
    from corridor.pillars.research.reference import reference_text

    text = reference_text("breast-cancer").replace('institution = "Reference"', f'institution = "{institution}"')
    text = "\n\n".join(part for part in text.split("\n\n") if not _is_left_out(part, country))
    if country == "CN":
        # Ten years of tamoxifen rather than five, as the trial ATLAS had it.
        head, tail = text.split('id = "tamoxifen"')
        tail = tail.replace('until = "Five years"', 'until = "Ten years"').replace('"big-1-98"', '"atlas-2013"')
        text = f'{head}id = "tamoxifen"{tail}{_TEN_YEARS}'
    return _published(text)


def publish_schedule() -> str:
    """Publish the schedule of follow-up, and return its hash."""
    from corridor.pillars.research.reference import reference_text

    return _published(reference_text(SCHEDULE))


def care_hashes() -> list[str]:
    """Return the hashes of all documents of care that this node holds."""
    from corridor.pillars.research import queries

    return sorted(view.document.hash for view in queries.care_documents(staff("auditor")))


def compare_care(left: str, right: str) -> dict[str, list[Any]]:
    """Return where two treatment protocols differ: the place of each statement with what either side says."""
    from corridor.pillars.research import queries

    _, _, pairs = queries.compare_documents(left, right, actor=staff("clinician"))
    return {"/".join(pair.path): [pair.left, pair.right] for pair in pairs if pair.differs}


def follow_patients(schedule: str, patients: int, seed: int) -> dict[str, int]:
    """Register simulated patients for a schedule, and return how many visits are overdue and due today."""
    import polars as pl

    from corridor.pillars.research import queries, services

    today = now().date()
    frame = pl.DataFrame(list(_simulated(patients, today=today, seed=seed)))
    services.register_patients(
        schedule=schedule, source="simulated.csv", frame=frame, actor=staff("steward"), now=now()
    )
    due = queries.worklist(schedule, on=today, ahead_days=0, actor=staff("clinician")).due
    return {standing: sum(each.standing == standing for each in due) for standing in ("overdue", "due")}


def bring_figure(study: str, run: str) -> str:
    """Bring the result of a run to the symposium of a study, and return the entry."""
    from uuid import UUID

    from corridor.pillars.research import services

    entry = services.add_entry(
        study=study,
        year=now().year,
        kind="figure",
        text="The main result, for the opening talk",
        owner="Researchers of both sides",
        day=None,
        run=UUID(run),
        actor=staff("researcher"),
        now=now(),
    )
    return str(entry.pk)


def symposium(study: str) -> list[dict[str, Any]]:
    """Return the entries of a symposium, each with whether its figure has the same blocks at both sides."""
    from corridor.pillars.research import queries

    found = queries.symposium_entries(study, actor=staff("auditor"))
    return [{"id": each.id, "run": each.run, "is_same": each.is_same} for each in found]


def _published(text: str) -> str:
    from corridor.pillars.research import services
    from corridor.pillars.research.rules.care import draft_care_document

    kind, document = draft_care_document(text)
    row = services.publish_document(kind, document, agreement="", actor=staff("clinician"), now=now())
    return str(row.hash)


def _is_left_out(part: str, country: str) -> bool:
    """Tell whether a paragraph of the reference is a regimen, or who it is for, that this side does without."""
    is_entry = part.startswith(("[[regimens]]", "[[eligibility]]"))
    return is_entry and any(f'id = "{name}"' in part for name in _LEFT_OUT[country])


def _simulated(patients: int, *, today: date, seed: int) -> Iterator[dict[str, str]]:
    """Yield invented patients: each comes to most of the visits of the schedule, some stop coming."""
    random = stream(seed, "follow-up")
    for number in range(patients):
        start = today - timedelta(days=int(random.integers(120, _LATEST_DAYS)))
        stops = float(random.uniform(0.4, 3.0))
        months = [month for month in range(4, 25, 4) if month * 30.4 < _LATEST_DAYS * stops / 2]
        came = [start + timedelta(days=int(month * 30.4 + random.normal(0, 12))) for month in months]
        images = [start + timedelta(days=int(365 * year + random.normal(0, 20))) for year in (1, 2)]
        yield {
            "person": f"SIM-{seed}-{number:03}",
            "start_on": start.isoformat(),
            "risk_group": "low" if random.random() < 0.2 else "standard",
            "visit": ";".join(day.isoformat() for day in came if day <= today),
            "mammography": ";".join(day.isoformat() for day in images if day <= today and random.random() < 0.8),
        }


OPERATIONS: dict[str, Callable[..., Any]] = {
    each.__name__: each
    for each in (
        bring_figure,
        care_hashes,
        compare_care,
        follow_patients,
        publish_schedule,
        publish_treatment,
        symposium,
    )
}
