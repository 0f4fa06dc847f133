"""Versions of what is signed and sent: a node that meets one that it does not know says so, and what to do."""

from corridor.exchange.rules.jws import Malformed


class UnknownVersion(Malformed):
    """A document is of a version that this node does not know."""

    code = "unknown-version"


def check_version(came: object, *, known: str, what: str) -> None:
    """Raise if `came` names another version of the same kind of document; what is no such name is for the reader.

    Parameters
    ----------
    came : object
        What the document says of itself, such as ``corridor.card/2``.
    known : str
        The version that this node reads, such as ``corridor.card/1``.
    what : str
        The document, with its article.

    Raises
    ------
    UnknownVersion
    """
    stem = known.rpartition("/")[0]
    if isinstance(came, str) and came != known and came.startswith(f"{stem}/"):
        raise UnknownVersion(
            f"expected {what} in version {known}, came {came[:80]!r}, which this node does not know. "
            f"Upgrade this node, or ask the partner for {known}."
        )
