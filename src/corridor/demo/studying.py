"""What the researcher and the steward of a node do in a study, for the player."""

from __future__ import annotations

import html
import re
import tomllib
import uuid
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

from corridor.demo.cast import CHINA, COHORTS, PAKISTAN
from corridor.demo.people import allowed, now, staff

__all__ = ["OPERATIONS", "STUDY", "TOO_FEW"]

STUDY = "breast-hormone"
TOO_FEW = "most-nodes"
"""An analysis of the demonstration's plan that tells of four patients of each site, and must be refused."""

_PICTURE = re.compile(r'<img src="([^"]+\.svg)"')
_TOO_FEW = {
    "id": TOO_FEW,
    "kind": "moments",
    "title": {
        "en": "Age of pre-menopausal patients with at least 24 positive nodes",
        "zh-hans": "至少有 24 个阳性淋巴结的绝经前患者的年龄",
        "ru": "Возраст пациенток до менопаузы с 24 и более поражёнными лимфоузлами",
        "ur": "سنِ یاس سے پہلے کی، کم از کم 24 متاثرہ لمفی غدود والی مریضاؤں کی عمر",
    },
    "where": [{"variable": "meno", "is": 0}, {"variable": "nodes", "at_least": 24}],
    "variables": ["age_years"],
}


def propose_study(agreement: str) -> str:
    """Propose the protocol of the breast cancer study under an agreement, and return its hash."""
    from corridor.pillars.research import services
    from corridor.pillars.research.rules.protocol import draft_protocol

    members = tomllib.loads(_file("breast-hormone.toml"))
    for site, node in zip(members["sites"], (PAKISTAN, CHINA), strict=True):
        site["node"] = node.id
    members["analyses"].append(_TOO_FEW)
    version = services.propose_study(draft_protocol(members), agreement=agreement, actor=staff("researcher"), now=now())
    return str(version.hash)


def study_state() -> dict[str, Any]:
    """Return the hash of the study's protocol, whether it is locked, and the sites whose rows are frozen."""
    from corridor.pillars.research import queries

    found = [view for view in queries.studies(staff("auditor")) if view.name == STUDY]
    if not found:
        return {"protocol": "", "is_locked": False, "ready": []}
    (view,) = found
    return {
        "protocol": view.protocol.hash,
        "is_locked": view.locked_at is not None,
        "ready": [site.id for site in view.sites if site.snapshot],
    }


def sign_study(protocol: str) -> bool:
    """Sign the protocol: the steward asks, an officer allows."""
    from corridor.pillars.research import services

    return allowed(services.ask_to_sign(protocol, actor=staff("steward"), now=now()))


def freeze_cohort(country: str) -> int:
    """Harmonise the cohort that this node holds, freeze and sign its rows, and return how many there are."""
    from corridor.base.textfiles import read_table
    from corridor.pillars.research import queries, services
    from corridor.pillars.research.tables import SiteMapping, harmonise

    steward = staff("steward")
    file = COHORTS[country]
    protocol = queries.find_study(STUDY, actor=steward).protocol
    harmonised = harmonise(read_table(_file(file).encode()), protocol=protocol, mapping=SiteMapping())
    frozen = services.freeze_rows(study=STUDY, harmonised=harmonised, source=file, actor=steward, now=now())
    services.sign_snapshot(snapshot=frozen.hash, actor=steward, now=now())
    return int(frozen.rows)


def request_analysis(analysis: str) -> str:
    """Ask every site for an analysis of the plan, and return the run."""
    from corridor.pillars.research import services

    run = services.request_run(study=STUDY, analysis=analysis, actor=staff("researcher"), now=now())
    return str(run.pk)


def advance_study() -> dict[str, dict[str, Any]]:
    """Move every run on as far as the blocks that are here allow, and return how the runs stand."""
    from corridor.pillars.research import queries, tasks

    tasks.advance(arguments={}, now=now(), job=_Unwatched())
    view = queries.find_study(STUDY, actor=staff("researcher"))
    return {
        run.id: {
            "analysis": run.analysis,
            "state": run.state,
            "site": run.at_site,
            "reasons": run.reasons,
            "result": run.result,
        }
        for run in view.runs
    }


def study_blocks() -> list[dict[str, Any]]:
    """Return every block of the study that this node holds, own and received: which numbers, of whom, in which run."""
    from corridor.pillars.research import queries

    actor = staff("auditor")
    view = queries.find_study(STUDY, actor=actor)
    blocks = [
        {
            "run": run.id,
            "analysis": run.analysis,
            "round": block.round,
            "site": block.site,
            "numbers": block.numbers,
            "lists": block.names,
        }
        for run in view.runs
        for block in queries.crossed(uuid.UUID(run.id), actor=actor)
        if block.released
    ]
    return sorted(blocks, key=lambda block: (block["run"], block["round"], block["site"]))


def open_forest_plot(run: str, path: str) -> dict[str, str]:
    """Open the page of a result as the researcher does, keep its forest plot in a file, and return what the page says.

    Returns
    -------
    dict
        ``page`` is its address at the node, ``text`` what stands on it.
    """
    from django.urls import reverse
    from django.utils.html import strip_tags

    address = reverse("research:result", args=[STUDY, run])
    page = _opened(address).decode()
    picture = _PICTURE.search(page)
    Path(path).write_bytes(_opened(picture[1]) if picture else b"")
    return {"page": address, "text": " ".join(html.unescape(strip_tags(page)).split())}


def _opened(address: str) -> bytes:
    """Return what a page of this node answers to the researcher, in English."""
    from django.test import RequestFactory
    from django.urls import resolve
    from django.utils import translation

    request = RequestFactory().get(address, headers={"host": "127.0.0.1"})
    # The one-time password is for whoever watches the demonstration, and stays unused.
    person = staff("researcher")
    person.must_change_password = False
    request.user = person
    found = resolve(address)
    with translation.override("en"):
        answer = found.func(request, *found.args, **found.kwargs)
    return bytes(answer.content)


class _Unwatched:
    """A job that nobody watches."""

    id, attempt = 0, 1

    def heartbeat(self, done: int, of: int) -> None:
        """Tell nobody."""


def _file(name: str) -> str:
    return resources.files("corridor.demo").joinpath(name).read_text(encoding="utf-8")


OPERATIONS: dict[str, Callable[..., Any]] = {
    each.__name__: each
    for each in (
        advance_study,
        freeze_cohort,
        open_forest_plot,
        propose_study,
        request_analysis,
        sign_study,
        study_blocks,
        study_state,
    )
}
