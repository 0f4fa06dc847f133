"""How strict a site is: the protocol's rule, or a stricter one of its own."""

from dataclasses import dataclass, field, replace

from corridor.pillars.research.rules.protocol.document import DisclosureTerms

__all__ = ["GUARDS", "REHEARSAL", "Policy"]

GUARDS = (
    "smallest-cell",
    "dominance",
    "degrees-of-freedom",
    "minority",
    "leverage",
    "weights",
    "events",
    "time-grid",
    "likelihood",
    "evaluations",
    "differencing",
    "corrections",
    "budget",
    "cache",
)
"""The names of the guards, as reasons of a refusal give them."""


@dataclass(frozen=True)
class Policy:
    """The numbers by which a site judges what may leave.

    Attributes
    ----------
    smallest_cell : int
        k: nothing is released about 1 to k - 1 persons; no row has more than 1/k of a sum.
    grid_days : int
        Times are rounded up to multiples of it before anything about single times leaves.
    evaluations : int
        Coefficient vectors answered per model and snapshot.
    releases : int
        Answers per study.
    answers_per_person : int
        Answers of which the rows of one person are part, over all studies.
    numbers_per_partner : int
        Numbers that one node gets, over all studies.
    rows_per_parameter : int
        A model of p parameters needs p times so many rows, and half as many events.
    noise_scale : float
        Scale of keyed noise on the counts of tables; 0 for none.
    noise_key : bytes
        The site's secret from which noise is derived.
    off : frozenset of str
        Guards that are switched off: all of them in a rehearsal on files that one owns, single ones in tests that show
        what a guard prevents.
    """

    smallest_cell: int = 5
    grid_days: int = 30
    evaluations: int = 10
    releases: int = 500
    answers_per_person: int = 1000
    numbers_per_partner: int = 250_000
    rows_per_parameter: int = 10
    noise_scale: float = 0.0
    noise_key: bytes = field(default=b"", repr=False)
    off: frozenset[str] = frozenset()

    @classmethod
    def of(cls, terms: DisclosureTerms, *, own_smallest_cell: int = 0, noise_key: bytes = b"") -> "Policy":
        """Return the policy of a protocol's terms; a site's own smallest cell holds where it is larger."""
        return cls(
            smallest_cell=max(terms.smallest_cell, own_smallest_cell),
            grid_days=terms.grid_days,
            evaluations=terms.evaluations,
            releases=terms.releases,
            answers_per_person=terms.answers_per_person,
            numbers_per_partner=terms.numbers_per_partner,
            noise_scale=terms.noise_scale,
            noise_key=noise_key,
        )

    def without(self, *guards: str) -> "Policy":
        """Return the same policy with guards switched off."""
        unknown = set(guards) - set(GUARDS)
        if unknown:
            raise ValueError(f"no such guard: {', '.join(sorted(unknown))}")
        return replace(self, off=self.off | frozenset(guards))

    def has(self, guard: str) -> bool:
        """Tell whether a guard is on."""
        return guard not in self.off


REHEARSAL = Policy(off=frozenset(GUARDS))
"""On files that one owns nothing has to be hidden; results of a rehearsal are marked."""
