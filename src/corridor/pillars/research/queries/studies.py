"""Studies as people see them: which protocol holds, who signed, how each site stands, what ran."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from corridor.accounts.actors import Actor
from corridor.accounts.roles import require
from corridor.base.errors import WrongUsage
from corridor.exchange import queries as exchange_queries
from corridor.exchange.registry import ChannelView
from corridor.pillars.research.messages import StudyMessage
from corridor.pillars.research.models import ProtocolVersion, Run, Study
from corridor.pillars.research.rules.protocol import Protocol, read_protocol

__all__ = [
    "RunView",
    "SiteView",
    "StudyView",
    "UnknownStudy",
    "current_protocol",
    "find_study",
    "own_node_id",
    "studies",
    "study_channels",
    "version_of",
]

SEE = "research.see_studies"


class UnknownStudy(WrongUsage):
    """No study of that name is known here."""

    code: ClassVar[str] = "no-such-study"


@dataclass(frozen=True)
class SiteView:
    """One site of a study: whether it signed, how it stands, which rows it froze."""

    id: str
    node: str
    institution: str
    signed_at: datetime | None
    standing: str
    reason: str
    snapshot: str
    is_own: bool


@dataclass(frozen=True)
class RunView:
    """One run: what was asked, where it stands, and what it found or why not."""

    id: str
    analysis: str
    asked_by_node: str
    asked_at: datetime
    state: str
    at_site: str
    code: str
    reasons: tuple[str, ...]
    rounds: int
    waits_for: tuple[str, ...]
    result: dict[str, Any] | None


@dataclass(frozen=True)
class StudyView:
    """One study with the protocol that holds: the highest locked version, else the newest."""

    name: str
    protocol: Protocol
    locked_at: datetime | None
    by_hand: bool
    versions: tuple[str, ...]
    sites: tuple[SiteView, ...]
    runs: tuple[RunView, ...]


def studies(actor: Actor) -> list[StudyView]:
    """Return every study, newest first."""
    require(actor, SEE)
    return [_view(row) for row in Study.objects.all()]


def find_study(name: str, *, actor: Actor) -> StudyView:
    """Return one study.

    Raises
    ------
    UnknownStudy
    """
    require(actor, SEE)
    row = Study.objects.filter(name=name).first()
    if row is None:
        raise UnknownStudy(f"there is no study {name!r} here; `corridor study list` shows them.")
    return _view(row)


def version_of(study: str) -> ProtocolVersion:
    """Return the version that holds: the highest locked one, else the newest.

    Raises
    ------
    UnknownStudy
    """
    versions = ProtocolVersion.objects.select_related("study").filter(study__name=study)
    found = versions.filter(locked_at__isnull=False).first() or versions.first()
    if found is None:
        raise UnknownStudy(f"there is no study {study!r} here; `corridor study list` shows them.")
    return found


def current_protocol(study: Study) -> Protocol:
    """Return the protocol that holds for a study."""
    return read_protocol(bytes(version_of(study.name).document))


def study_channels(*, actor: Actor, now: datetime) -> list[ChannelView]:
    """Return the channels in force on which this node may take part in a study."""
    require(actor, SEE)
    found = exchange_queries.channels_open(actor=actor, schema=StudyMessage.schema_id(), now=now)
    return [view for view in found if view.partners]


def own_node_id() -> str:
    """Return the id of this node.

    Raises
    ------
    UnknownStudy
        If the home has no node yet.
    """
    own = exchange_queries.own_node()
    if own is None:
        raise UnknownStudy("this home has no node yet; `corridor node init` makes one.")
    return own.node_id


def _view(row: Study) -> StudyView:
    version = version_of(row.name)
    protocol = read_protocol(bytes(version.document))
    signed = dict(version.signatures.values_list("site", "signed_at"))
    states = {state.site: state for state in row.sites.all()}
    return StudyView(
        name=row.name,
        protocol=protocol,
        locked_at=version.locked_at,
        by_hand=row.by_hand,
        versions=tuple(row.versions.values_list("hash", flat=True)),
        sites=tuple(
            SiteView(
                id=site.id,
                node=site.node,
                institution=site.institution,
                signed_at=signed.get(site.id),
                standing=states[site.id].standing if site.id in states else "active",
                reason=states[site.id].reason if site.id in states else "",
                snapshot=states[site.id].snapshot if site.id in states else "",
                is_own=site.id == row.own_site,
            )
            for site in protocol.sites
        ),
        runs=tuple(_run(run, protocol) for run in Run.objects.filter(version__study=row)),
    )


def _run(run: Run, protocol: Protocol) -> RunView:
    answered: dict[int, set[str]] = {}
    for number, site in run.rounds.filter(is_released=True).values_list("number", "site"):
        answered.setdefault(number, set()).add(site)
    last = max(answered, default=0)
    everyone = {site.id for site in protocol.sites}
    open_round = run.state in (Run.State.RUNNING, Run.State.WAITING)
    missing = everyone - answered.get(last, set()) if open_round else set()
    return RunView(
        id=str(run.pk),
        analysis=run.analysis,
        asked_by_node=run.asked_by_node,
        asked_at=run.asked_at,
        state=run.state,
        at_site=run.at_site,
        code=run.code,
        reasons=tuple(run.reasons),
        rounds=last,
        waits_for=tuple(sorted(missing)),
        result=run.result,
    )
