"""The proxy of the how-to as it is printed there: nginx, mutual TLS for partners, another door for people."""

from __future__ import annotations

import os
import re
import shutil
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from email.message import Message
from pathlib import Path

import pytest
from click.testing import CliRunner
from django.conf import settings

from corridor.accounts import tokens
from corridor.base.clock import utcnow
from corridor.exchange import delivery
from corridor.exchange.commands.nodes import node as command
from corridor.exchange.models import Partner
from corridor.exchange.rules import certificates
from corridor.exchange.rules.keys import SigningKey
from corridor.server import env
from corridor.server.supervisor import child_command
from tests.exchange.nodes import Corridor, Node
from tests.exchange.test_delivery import _free_ports

ROOT = Path(__file__).parents[2]
HOW_TO = ROOT / "docs" / "how-to" / "run-on-postgresql-behind-a-proxy.md"
PK, CN = "pk.nih", "cn.cdc"

pytestmark = pytest.mark.parametrize("make_corridor", ["sqlite"], indirect=True)


@dataclass(frozen=True)
class Proxied:
    """A node of China behind nginx, and Pakistan with its certificate."""

    corridor: Corridor
    agreement: str
    people: int
    partners: int
    certificate: Path
    of_people: Path


def configuration(folder: Path, places: dict[str, object]) -> Path:
    """Return a file with the servers of the how-to, each place in them replaced once or more by one of the test."""
    blocks = re.findall(r"^```\n(server \{.*?)^```$", HOW_TO.read_text(), re.MULTILINE | re.DOTALL)
    (servers,) = blocks
    for written, here in places.items():
        assert written in servers, f"the how-to no longer says {written!r}"
        servers = servers.replace(written, str(here))
    # The folders that a package's own nginx.conf would name; a master that runs as root must not give up the folder.
    around = ["user root;"] if os.geteuid() == 0 else []
    around += ["daemon off;", f"pid {folder}/nginx.pid;", "events {}", "http {", "access_log off;"]
    around += [f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")]
    target = folder / "nginx.conf"
    target.write_text("\n".join([*around, servers, "}"]))
    return target


def make_certificate(node: Node, whole: Path, authority: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a node's certificate by the command of the how-to."""
    with node:
        person = node.person()
        person.must_change_password = False
        person.save()
        monkeypatch.setenv("CORRIDOR_TOKEN", tokens.issue_token(person, name="test", actor=person, now=utcnow()))
        made = CliRunner().invoke(command, ["certificate", str(whole), "--authority", str(authority)])
        assert made.exit_code == 0, made.output


@contextmanager
def running(name: str, line: list[str], folder: Path, **environ: str) -> Iterator[None]:
    """Run a child process for as long as it is needed."""
    with (folder / f"{name}.log").open("wb") as log:
        child = subprocess.Popen(
            line, stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=ROOT, env=os.environ | environ
        )
    try:
        yield
    finally:
        child.terminate()
        child.wait(timeout=20)
        if child.stdin is not None:
            child.stdin.close()


def ask(port: int, path: str, *, certificate: Path | None = None) -> tuple[int, dict[str, str]]:
    """Return status and headers of what nginx answers on a port, whatever certificate it shows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if certificate is not None:
        context.load_cert_chain(certificate)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    try:
        with opener.open(f"https://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, _lower(answer.headers)
    except urllib.error.HTTPError as fault:
        return fault.code, _lower(fault.headers)


def _lower(headers: Message) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def wait_for(port: int) -> None:
    """Wait until nginx and the node behind it answer."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if ask(port, "/accounts/login")[0] == 200:
                return
        except OSError:
            pass
        time.sleep(0.2)
    raise AssertionError("nginx and the node behind it did not answer in a minute")


@pytest.fixture
def nginx() -> str:
    """Return where nginx is; without it the test is skipped, and fails in CI, which should have brought it."""
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("nginx is not installed")
    return found


@pytest.fixture
def proxied(
    nginx: str, make_corridor: Callable[..., Corridor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Proxied]:
    """Start China as the how-to says: a web process on loopback, nginx before it with the certificates made there."""
    first = _free_ports(4)
    # The nodes of a corridor are numbered from the first port on, and China is the first by name.
    people, backend = first + 2, first + 3
    corridor = make_corridor(first_port=first, now=utcnow() - timedelta(hours=2))
    agreement = corridor.sign()
    corridor.now = utcnow()
    china = corridor[CN]
    mine, theirs, accepted = tmp_path / "pk.pem", tmp_path / "node.pem", tmp_path / "partners.pem"
    make_certificate(corridor[PK], mine, accepted, monkeypatch)
    make_certificate(china, theirs, tmp_path / "cn-cdc.pem", monkeypatch)
    monkeypatch.delenv("CORRIDOR_TOKEN")
    of_people = tmp_path / "people.pem"
    known = certificates.issue(SigningKey.generate(), node_id=CN, host="127.0.0.1", days=1, now=utcnow())
    of_people.write_bytes(known.whole)
    named = {"id": CN, "name": CN, "country": "CN", "url": f"https://127.0.0.1:{first}", "simulated": True}
    env.write_file(china.home / env.SETTINGS_FILE, named)
    china.wrapper.close()
    places = {
        "listen 443 ssl": f"listen 127.0.0.1:{people} ssl",
        "listen 8443 ssl": f"listen 127.0.0.1:{first} ssl",
        "/etc/ssl/corridor.example.org.pem": of_people,
        "/etc/ssl/private/corridor.example.org.key": of_people,
        "/etc/corridor/node.pem": theirs,
        "/etc/corridor/partners.pem": accepted,
        "http://127.0.0.1:8001": f"http://127.0.0.1:{backend}",
        "corridor.example.org": "localhost",
    }
    line = [nginx, "-p", str(tmp_path), "-e", str(tmp_path / "error.log"), "-c", str(configuration(tmp_path, places))]
    web = child_command("web", "127.0.0.1", str(backend), "1")
    of_node = {
        "CORRIDOR_HOME": str(china.home),
        "CORRIDOR_BEHIND_PROXY": "1",
        "DATABASE_URL": "",
        "DJANGO_SETTINGS_MODULE": "tests.soak.settings",
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}",
    }
    with running("web", web, tmp_path, **of_node), running("nginx", line, tmp_path):
        wait_for(people)
        yield Proxied(corridor, agreement, people, first, mine, of_people)


def deliver(proxied: Proxied, *, value: int, certificate: Path | None) -> delivery.DeliveryReport:
    """Send one figure from Pakistan to China over https, with `certificate`."""
    corridor = proxied.corridor
    corridor[PK].send(value, to=CN, agreement=proxied.agreement)
    with corridor[PK]:
        Partner.objects.filter(node_id=CN).update(
            url=f"https://127.0.0.1:{proxied.partners}", circuit_open_until_at=None
        )
        settings.CORRIDOR = {**settings.CORRIDOR, "tls_certificate": certificate}
        return delivery.deliver_once(now=utcnow())


def test_figures_cross_through_the_proxy_of_the_how_to_under_the_partners_certificate_alone(proxied: Proxied) -> None:
    corridor = proxied.corridor
    assert deliver(proxied, value=7, certificate=None).failed == [CN]
    assert deliver(proxied, value=8, certificate=proxied.of_people).failed == [CN]
    assert corridor[CN].effects() == []
    report = deliver(proxied, value=9, certificate=proxied.certificate)
    assert (report.refused, report.deferred, report.failed) == (0, 0, [])
    assert [value for _, value in corridor[CN].effects()] == [7, 8, 9]
    assert [row.status for row in corridor[PK].crossings(direction="out", schema="test.figure/1")] == ["accepted"] * 3


def test_each_door_of_the_proxy_leads_only_where_the_how_to_says(proxied: Proxied) -> None:
    status, headers = ask(proxied.people, "/accounts/login")
    assert (status, "secure" in headers["set-cookie"].lower()) == (200, True)
    assert ask(proxied.people, "/exchange/v1/envelopes")[0] == 404
    assert ask(proxied.partners, "/accounts/login", certificate=proxied.certificate)[0] == 404
    # nginx answers who shows no certificate with its own page, not with the node's.
    assert ask(proxied.partners, "/exchange/v1/envelopes")[0] == 400
