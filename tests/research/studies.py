"""A study between two nodes, with the people it takes, for tests."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any

from corridor.accounts.actors import System
from corridor.accounts.services import add_person
from corridor.base.textfiles import read_table
from corridor.exchange.services import send
from corridor.jobs.worker import run_due
from corridor.pillars.research import queries, services
from corridor.pillars.research.messages import StudyMessage
from corridor.pillars.research.models import Run, Snapshot
from corridor.pillars.research.rules.protocol import Protocol, draft_protocol, protocol_from_toml
from corridor.pillars.research.tables import SiteMapping, harmonise
from tests.exchange.nodes import Corridor, Node

GOLDEN = Path(__file__).parents[1] / "golden" / "research"
SITES = {"nl": "nl.rotterdam", "de": "de.gbsg"}


def protocol_text() -> str:
    """Return the TOML of the breast cancer study."""
    return resources.files("corridor.demo").joinpath("breast-hormone.toml").read_text(encoding="utf-8")


def breast_protocol(change: Callable[[dict[str, Any]], None] | None = None) -> tuple[bytes, Protocol]:
    """Return the study's canonical bytes and its protocol, after `change` to its members."""
    members = tomllib.loads(protocol_text())
    if change is not None:
        change(members)
    document = draft_protocol(members)
    from corridor.pillars.research.rules.protocol import read_protocol

    return document, read_protocol(document)


def corrected_file(folder: Path, *, persons: int, variable: str = "nodes", by: int = 1) -> Path:
    """Write the German rows with a variable higher `by` so much for the first so many persons; return where."""
    header, *lines = (GOLDEN / "site_de.csv").read_text(encoding="utf-8").splitlines()
    place = header.split(",").index(variable)
    for number in range(persons):
        values = lines[number].split(",")
        values[place] = str(int(values[place]) + by)
        lines[number] = ",".join(values)
    path = folder / f"{variable}-{persons}.csv"
    path.write_text("\n".join([header, *lines, ""]), encoding="utf-8")
    return path


def study_channel(
    nodes: list[str], *, message: str = "research.study/1", data_class: str = "aggregate"
) -> dict[str, Any]:
    """Return the channel that opens a message of research between `nodes`, by default that of studies."""
    return {
        "id": message.partition("/")[0].removeprefix("research."),
        "clause": "7.1",
        "from": nodes,
        "to": nodes,
        "message": message,
        "data_class": data_class,
        "purpose": "joint-research",
        "place_level": "country",
        "caps": {"envelopes_per_day": 10_000, "persons_per_year": 0},
        "acceptance": "automatic",
    }


class StudyCorridor:
    """Two nodes that signed an agreement and, once `signed`, a protocol, with their rows frozen."""

    def __init__(
        self, corridor: Corridor, document: bytes, protocol: Protocol, *, agreement: str | None = None
    ) -> None:
        self.corridor = corridor
        self.document = document
        self.protocol = protocol
        self.nodes: dict[str, Node] = {site.id: corridor[site.node] for site in protocol.sites}
        if agreement is not None:
            # Another process made all this and left it in files.
            self.agreement = agreement
            return
        for node in corridor:
            with node:
                for name, roles in (("ren", ("researcher",)), ("stew", ("steward",)), ("ard", ("steward",))):
                    add_person(name, roles=roles, actor=System("test"), now=node.now - timedelta(days=30))
        self.agreement = corridor.sign(channels=[study_channel(list(corridor.ids))])

    def propose(self, site: str = "nl") -> None:
        """Propose the protocol from one site."""
        node = self.nodes[site]
        with node:
            services.propose_study(self.document, agreement=self.agreement, actor=node.person("ren"), now=node.now)
        self.corridor.settle()

    def sign(self, site: str) -> None:
        """Let two stewards of a site sign."""
        from corridor.accounts.approvals import approve

        node = self.nodes[site]
        with node:
            asked = services.ask_to_sign(self.protocol.hash, actor=node.person("stew"), now=node.now)
            approve(asked.request_id, actor=node.person("ard"), now=node.now)

    def freeze(self, site: str, path: Path, mapping: SiteMapping | None = None) -> None:
        """Harmonise a file, freeze and sign its rows."""
        node = self.nodes[site]
        harmonised = harmonise(read_table(path), protocol=self.protocol, mapping=mapping or SiteMapping())
        with node:
            row = services.freeze_rows(
                study=self.protocol.study,
                harmonised=harmonised,
                source=path.name,
                actor=node.person("stew"),
                now=node.now,
            )
            services.sign_snapshot(snapshot=row.hash, actor=node.person("stew"), now=node.now)

    def ready(self, files: Mapping[str, Path] | None = None) -> None:
        """Do all that comes before the first run."""
        self.propose()
        for site in self.nodes:
            self.sign(site)
        for site in self.nodes:
            self.freeze(site, (files or {}).get(site, GOLDEN / f"site_{site}.csv"))
        self.corridor.settle()

    def request(self, analysis: str, site: str = "nl") -> str:
        """Ask for an analysis at one site; return the run."""
        node = self.nodes[site]
        with node:
            run = services.request_run(
                study=self.protocol.study, analysis=analysis, actor=node.person("ren"), now=node.now
            )
        return str(run.pk)

    def say(self, site: str, to: str, *, stated_at: datetime | None = None, **part: Any) -> None:
        """Queue an act that the site's own services would not send, with its keys and under its agreement."""
        node = self.nodes[site]
        message = StudyMessage(
            study=self.protocol.study,
            protocol=self.protocol.hash,
            stated_at=stated_at or node.now,
            simulated=self.protocol.simulated,
            **part,
        )
        with node:
            send(
                message,
                to=self.nodes[to].id,
                agreement=self.agreement,
                channel="study",
                actor=System("test"),
                now=node.now,
            )

    def amend(self, change: Callable[[dict[str, Any]], None], site: str = "nl") -> None:
        """Propose the next version of the protocol from one site; it is the study's protocol from here on."""

        def next_version(members: dict[str, Any]) -> None:
            members["version"], members["supersedes"] = self.protocol.version + 1, self.protocol.hash
            change(members)

        self.document, self.protocol = breast_protocol(next_version)
        self.propose(site)

    def work(self, site: str) -> None:
        """Do what waits in the queue of jobs of one site."""
        node = self.nodes[site]
        with node:
            while run_due(now=node.now):
                pass

    def settle(self, *, passes: int = 40) -> None:
        """Deliver and work at every site until nothing moves any more."""
        for _ in range(passes):
            for site in self.nodes:
                self.work(site)
            if not any(node.waiting() for node in self.corridor):
                return
            self.corridor.settle()

    def run(self, run: str, site: str = "nl") -> Run:
        """Return a run as one site sees it."""
        with self.nodes[site]:
            return Run.objects.get(pk=run)


__all__ = [
    "GOLDEN",
    "SITES",
    "Snapshot",
    "StudyCorridor",
    "breast_protocol",
    "corrected_file",
    "protocol_from_toml",
    "queries",
]
