"""Commands of research: studies, the rows of this site, analyses, symposia, and documents of care."""

from corridor.pillars.research.commands.analyses import by_hand, release, request, result
from corridor.pillars.research.commands.care import care
from corridor.pillars.research.commands.ledger import ledger, reopen_ledger
from corridor.pillars.research.commands.rows import data, sign_data
from corridor.pillars.research.commands.studies import study
from corridor.pillars.research.commands.symposium import bring, mark, symposium

__all__ = ["COMMANDS"]

for _command in (data, sign_data, request, result, by_hand, release, ledger, reopen_ledger, symposium, bring, mark):
    study.add_command(_command)

COMMANDS = (study, care)
