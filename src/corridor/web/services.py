"""What the shell writes: a person's choice of language."""

from datetime import datetime

from corridor.accounts.models import Person
from corridor.accounts.transactions import write


@write("web.choose_language")
def choose_language(language: str, *, actor: Person, now: datetime) -> None:
    """Remember the language in which a person reads the pages."""
    actor.language = language
    actor.save(update_fields=["language"])
