"""What the smaller components show (pure)."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Moment:
    """One entry of a timeline.

    Parameters
    ----------
    at : datetime, aware
    title : str
        What happened, translated.
    text : str
        A remark; it may come from a person or a partner and is escaped and isolated.
    actor : str
        Who did it.
    url : str
        Where it is explained.
    tone : str
        ``plain``, ``accent`` (where things stand now) or ``alarm``.
    """

    at: datetime
    title: str
    text: str = ""
    actor: str = ""
    url: str = ""
    tone: str = "plain"
