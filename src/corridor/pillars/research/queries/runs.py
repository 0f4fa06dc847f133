"""Where a run stands, for the task that moves it on."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from corridor.accounts.actors import Actor
from corridor.accounts.roles import require
from corridor.pillars.research.models import ProtocolVersion, Run, SiteState, Snapshot
from corridor.pillars.research.rules.analyses import Block
from corridor.pillars.research.rules.protocol import Protocol, read_protocol

__all__ = ["Progress", "open_runs", "progress"]

_WORK = "research.see_studies"


@dataclass(frozen=True)
class Progress:
    """One run with everything that the next step needs.

    Attributes
    ----------
    rounds : mapping of round to site to block
        What was released, own and received; a block of this site that waits for two persons is not among them.
    parameters : mapping of (round, site) to the parameters that the site derived
    snapshot : Snapshot or None
        The rows of this site: those that the run began on, else those signed last that hold the protocol's variables;
        None if none are signed.
    standings : mapping of site to standing
    """

    run: uuid.UUID
    analysis: str
    state: str
    protocol: Protocol
    own_site: str
    rounds: dict[int, dict[str, Block]]
    parameters: dict[tuple[int, str], tuple[str, dict[str, list[float]]]]
    answered: frozenset[int]
    snapshot: Snapshot | None
    standings: dict[str, str]


def open_runs(actor: Actor) -> list[uuid.UUID]:
    """Return every run that has not ended."""
    require(actor, _WORK)
    return list(Run.objects.filter(state=Run.State.RUNNING).order_by("asked_at").values_list("pk", flat=True))


def progress(run: uuid.UUID, *, actor: Actor) -> Progress:
    """Return where a run stands."""
    require(actor, _WORK)
    row = Run.objects.select_related("version__study").get(pk=run)
    study = row.version.study
    rounds: dict[int, dict[str, Block]] = {}
    parameters: dict[tuple[int, str], tuple[str, dict[str, list[float]]]] = {}
    own = set()
    for each in row.rounds.all():
        if each.site == study.own_site:
            own.add(each.number)
        if each.is_released:
            rounds.setdefault(each.number, {})[each.site] = each.numbers
        parameters[each.number, each.site] = (each.step, each.parameters)
    protocol = read_protocol(bytes(row.version.document))
    return Progress(
        run=row.pk,
        analysis=row.analysis,
        state=row.state,
        protocol=protocol,
        own_site=study.own_site,
        rounds=rounds,
        parameters=parameters,
        answered=frozenset(own),
        snapshot=_snapshot(row, protocol),
        standings=dict(SiteState.objects.filter(study=study).values_list("site", "standing")),
    )


def _snapshot(run: Run, protocol: Protocol) -> Snapshot | None:
    signed = Snapshot.objects.filter(study=run.version.study, signed_at__isnull=False)
    if run.snapshot:
        return signed.filter(hash=run.snapshot).first()
    same = [
        version.hash
        for version in ProtocolVersion.objects.filter(study=run.version.study)
        if version.pk == run.version_id or read_protocol(bytes(version.document)).variables == protocol.variables
    ]
    return signed.filter(protocol__in=same).order_by("-signed_at").first()
