"""What this site has told of its patients so far, what of it the budgets leave, and whether the ledger is closed."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Sum

from corridor.accounts.actors import Actor
from corridor.accounts.roles import require
from corridor.pillars.research.models import Release, Told
from corridor.pillars.research.queries.journal import kept, noted
from corridor.pillars.research.queries.studies import SEE, version_of
from corridor.pillars.research.rules.disclosure import Policy
from corridor.pillars.research.rules.protocol import read_protocol

__all__ = ["LedgerView", "ledger", "lost_answers"]


@dataclass(frozen=True)
class LedgerView:
    """How the disclosure ledger of this site stands, and what a study may still tell.

    Attributes
    ----------
    answers, most_answers : int
        Given in the study, and the most that its protocol allows.
    of_person, most_of_person : int
        Over all studies: no person's rows are part of more answers than this, and the most that the protocol allows.
    partners : tuple of (node, numbers)
        Numbers that each other site of the study got, over all studies.
    most_to_partner : int
    lost : int
        Answers that left and that the database does not know: the ledger is closed until they are back.
    nameless : int
        Those of them of which nothing but the name is left, so that nobody can bring them back.
    """

    study: str
    answers: int
    most_answers: int
    of_person: int
    most_of_person: int
    partners: tuple[tuple[str, int], ...]
    most_to_partner: int
    lost: int
    nameless: int

    @property
    def is_closed(self) -> bool:
        """Tell whether nothing leaves this site."""
        return self.lost > 0


def ledger(study: str, *, actor: Actor) -> LedgerView:
    """Return how the ledger stands, with the budgets of one study.

    Raises
    ------
    UnknownStudy
    """
    require(actor, SEE)
    version = version_of(study)
    protocol, own = read_protocol(bytes(version.document)), version.study.own_site
    policy = Policy.of(protocol.disclosure)
    told = dict(Told.objects.values_list("node").annotate(Sum("numbers")).values_list("node", "numbers__sum"))
    lost = lost_answers()
    return LedgerView(
        study=study,
        answers=Release.objects.filter(study=study).count(),
        most_answers=policy.releases,
        of_person=Release.objects.count(),
        most_of_person=policy.answers_per_person,
        partners=tuple((site.node, told.get(site.node, 0)) for site in protocol.sites if site.id != own),
        most_to_partner=policy.numbers_per_partner,
        lost=len(lost),
        nameless=sum(kept(statistic) is None for statistic in lost),
    )


def lost_answers() -> list[str]:
    """Return what the journal knows to have left and the database does not know."""
    return sorted(noted() - set(Release.objects.values_list("statistic", flat=True)))
