"""Classes of data: how closely a field can come to one person, in one order that both gates use."""

from enum import StrEnum


class DataClass(StrEnum):
    """Class of a message field, of a whole message and of a channel, from the most open to the most closed.

    Notes
    -----
    The order is that of the definition; compare with `rank`, never with the text.
    """

    PUBLIC = "public"
    AGGREGATE = "aggregate"
    DEIDENTIFIED = "deidentified"
    PERSONAL = "personal"
    GENETIC = "genetic"

    @property
    def rank(self) -> int:
        """Return the place in the order: 0 is `PUBLIC`, 4 is `GENETIC`."""
        return _RANKS[self]

    @property
    def counts_persons(self) -> bool:
        """Return whether bodies of this class concern single persons, so that export counters count them."""
        return self.rank >= _RANKS[DataClass.DEIDENTIFIED]

    @property
    def travels_sealed(self) -> bool:
        """Return whether bodies of this class must be encrypted to the receiving node."""
        return self.rank >= _RANKS[DataClass.PERSONAL]


_RANKS = {member: rank for rank, member in enumerate(DataClass)}


def highest(*classes: DataClass) -> DataClass:
    """Return the most closed of `classes`; `PUBLIC` when none is given."""
    return max(classes, key=lambda data_class: data_class.rank, default=DataClass.PUBLIC)
