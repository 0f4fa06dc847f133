"""A progress bar appears on a terminal, and only when the work takes long."""

import sys

import pytest

from corridor.cli.progress import progress


@pytest.mark.parametrize(
    ("terminal", "patience_seconds", "drawn"), [(True, 0.0, True), (True, 60.0, False), (False, 0.0, False)]
)
def test_a_bar_is_drawn_only_for_a_person_who_waits(monkeypatch, capsys, terminal, patience_seconds, drawn):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)

    with progress("judging", patience_seconds=patience_seconds) as tell:
        tell(1, 2)

    seen = capsys.readouterr()
    assert seen.out == ""
    assert ("judging [###############---------------]  50%" in seen.err) == drawn
