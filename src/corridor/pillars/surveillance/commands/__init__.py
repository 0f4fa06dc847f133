"""Commands of surveillance: take a file in, see counts and signals, share."""

from corridor.pillars.surveillance.commands.figures import counts, signals
from corridor.pillars.surveillance.commands.intake import ingest
from corridor.pillars.surveillance.commands.sharing import share

__all__ = ["COMMANDS"]

COMMANDS = (ingest, counts, signals, share)
