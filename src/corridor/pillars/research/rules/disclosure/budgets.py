"""How much may be told: answers for a study, answers that a person's rows enter, numbers that a partner gets.

Sums over many sets of the same persons are equations: with about as many of them as there are values, the values can
be solved for, whatever each sum hides by itself. Budgets bound what no check of a single answer sees.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from corridor.pillars.research.rules.disclosure.judgement import Breach
from corridor.pillars.research.rules.disclosure.policy import Policy

__all__ = ["Spent", "over_budget"]


@dataclass(frozen=True)
class Spent:
    """What a site has told so far, where an answer is about to be added.

    Attributes
    ----------
    answers : int
        In the study.
    of_person : int
        In all studies, of which the most told person of the answer is part.
    to_partners : mapping of node to int
        Numbers in all studies, to each node that would get the answer.
    """

    answers: int = 0
    of_person: int = 0
    to_partners: Mapping[str, int] = field(default_factory=dict)


def over_budget(spent: Spent, policy: Policy, *, study: str, numbers: int) -> Iterator[Breach]:
    """Yield each budget that one more answer of so many `numbers` would overdraw.

    Notes
    -----
    Source: Dinur and Nissim 2003, Revealing Information while Preserving Privacy, Proc. PODS, for what many sums tell
    together.
    """
    if spent.answers >= policy.releases:
        yield Breach("budget", study)
    if spent.of_person >= policy.answers_per_person:
        yield Breach("budget", "persons")
    for node, told in spent.to_partners.items():
        if told + numbers > policy.numbers_per_partner:
            yield Breach("budget", node)
