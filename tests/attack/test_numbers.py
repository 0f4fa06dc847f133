"""Attacks on the numbers that a site gives, on two real cohorts, by the answer path of a node without its database."""

from __future__ import annotations

import pytest

from tests.attack import on_fits, on_sets, on_times
from tests.attack.playing import Attack

ATTACKS = [*on_times.ATTACKS, *on_sets.ATTACKS, *on_fits.ATTACKS]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name.replace(" ", "-"))
def test_an_attack_recovers_patients_without_its_guards_and_none_with_them(
    attack: Attack, attack_table: list[tuple[str, str, str, str, str]]
) -> None:
    without, with_them = attack.both()
    for site, loot in without.items():
        attack_table.append((attack.name, ", ".join(attack.guards), site, str(loot), str(with_them[site])))
    assert {site: loot.share >= attack.at_least[site] for site, loot in without.items()} == dict.fromkeys(without, True)
    assert {site: loot.found for site, loot in with_them.items()} == dict.fromkeys(with_them, 0)
