"""Commands of research: studies, the rows of this site, and analyses."""

from corridor.pillars.research.commands.analyses import by_hand, release, request, result
from corridor.pillars.research.commands.rows import data, sign_data
from corridor.pillars.research.commands.studies import study

__all__ = ["COMMANDS"]

for _command in (data, sign_data, request, result, by_hand, release):
    study.add_command(_command)

COMMANDS = (study,)
