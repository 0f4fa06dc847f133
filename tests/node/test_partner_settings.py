"""What a node is told about its partners' addresses, and what its processes say in the log."""

from __future__ import annotations

import logging
import logging.config
from pathlib import Path
from typing import Any

from django.conf import settings

from corridor.server import env


def test_partner_hosts_and_the_certificate_are_read_from_the_file(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / env.SETTINGS_FILE).write_text(
        f'partner_hosts = ["cdc.example"]\ntls_certificate = "{tmp_path}/node.pem"\n', encoding="utf-8"
    )
    values = env.read({"CORRIDOR_HOME": str(home)})
    assert values["partner_hosts"] == ("cdc.example",)
    assert values["tls_certificate"] == tmp_path / "node.pem"


def test_the_environment_goes_before_the_file() -> None:
    values = env.read({"CORRIDOR_PARTNER_HOSTS": "cdc.example, nih.example"})
    assert values["partner_hosts"] == ("cdc.example", "nih.example")


def test_asking_a_partner_to_come_again_is_no_line_of_an_error() -> None:
    said = _said_by_the_console(status_code=503), _said_by_the_console(status_code=500)
    assert said == (False, True)


def test_the_client_of_delivery_does_not_tell_of_every_request() -> None:
    described: dict[str, Any] = settings.LOGGING
    assert described["loggers"]["httpx"]["level"] == "WARNING"


def _said_by_the_console(*, status_code: int) -> bool:
    """Return whether the console's filters let Django's line about a reply of this status pass."""
    described: dict[str, Any] = settings.LOGGING
    configurator = logging.config.DictConfigurator(described)
    entry = logging.LogRecord("django.request", logging.ERROR, "", 0, "Service Unavailable: %s", ("/x",), None)
    entry.status_code = status_code
    names = described["handlers"]["console"]["filters"]
    filters = [configurator.configure_filter(dict(described["filters"][name])) for name in names]
    return all(each.filter(entry) for each in filters)
