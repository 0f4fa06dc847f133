"""Settings: where a value comes from, what is refused, and that the page about them is true."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.test import Client

from corridor.server import env, middleware

ROOT = Path(__file__).resolve().parents[2]


def home_with(tmp_path: Path, text: str) -> dict[str, str]:
    (tmp_path / env.SETTINGS_FILE).write_text(text, encoding="utf-8")
    return {"CORRIDOR_HOME": str(tmp_path)}


def test_defaults_stand_without_a_home() -> None:
    values = env.read({})

    assert {name: values[name] for name in ("home", "one_person", "language")} == {
        "home": None,
        "one_person": False,
        "language": "en",
    }


def test_environment_wins_over_the_file(tmp_path: Path) -> None:
    environ = home_with(tmp_path, 'log_level = "ERROR"\nsimulated = true\n') | {"CORRIDOR_LOG_LEVEL": "DEBUG"}

    values = env.read(environ)
    assert (values["log_level"], values["simulated"]) == ("DEBUG", True)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("one_person = 1", "takes a flag"),
        ("colour = 'blue'", "not a setting of the file"),
        ("database_url = 'postgresql://x/y'", "not a setting of the file"),
        ("id = ", "cannot be read as TOML"),
        ("allowed_hosts = 'a'", "takes a list"),
    ],
)
def test_file_that_cannot_be_used_is_named_with_its_fault(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(env.BadSetting, match=says):
        env.read(home_with(tmp_path, text))


def test_flag_of_the_environment_is_one_or_nought() -> None:
    assert env.read({"CORRIDOR_BEHIND_PROXY": "yes"})["behind_proxy"] is True
    with pytest.raises(env.BadSetting, match="CORRIDOR_BEHIND_PROXY"):
        env.read({"CORRIDOR_BEHIND_PROXY": "perhaps"})


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    written = {"id": "pk.nih", "name": 'Institute "A" \\ قومی\n', "one_person": True, "allowed_hosts": ("a", "b")}
    env.write_file(tmp_path / env.SETTINGS_FILE, written)

    assert env.read_file(tmp_path / env.SETTINGS_FILE) == written


def test_secret_lies_beside_the_home_and_not_in_it(tmp_path: Path) -> None:
    values = env.read({"CORRIDOR_HOME": str(tmp_path / "node")})

    assert values["secret_file"] == tmp_path / "node.secret"


def test_sqlite_syncs_fully_and_takes_the_write_lock_first(tmp_path: Path) -> None:
    options = env.database(None, tmp_path)["OPTIONS"]

    assert options["transaction_mode"] == "IMMEDIATE"
    assert "synchronous=FULL" in options["init_command"]
    assert "journal_mode=WAL" in options["init_command"]


def test_postgresql_address_is_taken_apart() -> None:
    described = env.database("postgresql://u%40x:p%2Fw@db.example.org:5433/corridor?sslmode=verify-full", None)

    assert [described[key] for key in ("USER", "PASSWORD", "HOST", "PORT", "NAME")] == [
        "u@x",
        "p/w",
        "db.example.org",
        "5433",
        "corridor",
    ]
    assert described["OPTIONS"] == {"sslmode": "verify-full"}


def test_postgresql_socket_folder_is_understood() -> None:
    described = env.database("postgresql://postgres:@/corridor?host=/run/pg", None)

    assert (described["HOST"], described["NAME"]) == ("/run/pg", "corridor")


@pytest.mark.parametrize("url", ["mysql://x/y", "postgresql://host", "nonsense"])
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(env.BadSetting, match="DATABASE_URL"):
        env.database(url, None)


@pytest.mark.parametrize(
    ("host", "is_here"), [("127.0.0.1", True), ("::1", True), ("localhost", True), ("10.0.0.1", False)]
)
def test_loopback_is_recognised(host: str, is_here: bool) -> None:
    assert env.is_loopback(host) is is_here


def test_every_setting_stands_on_the_reference_page_with_its_help() -> None:
    page = (ROOT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")

    for setting in env.SETTINGS:
        assert f"`{setting.variable or setting.name}`" in page, setting.name
        assert setting.help in page, setting.name


def test_every_variable_that_the_code_reads_is_a_setting() -> None:
    known = {setting.variable for setting in env.SETTINGS}
    found = {
        (path.name, variable)
        for path in (ROOT / "src").rglob("*.py")
        for variable in re.findall(r"environ(?:\.get\(|\[)\"([A-Z_]+)\"", path.read_text(encoding="utf-8"))
        if variable.startswith("CORRIDOR_") and variable not in known
    }

    assert found == set()


def test_off_loopback_cookies_are_bound_to_the_host_and_named_per_node(tmp_path: Path) -> None:
    environ = home_with(tmp_path, 'id = "pk.nih"\nurl = "https://node.example.org"\n')
    code = (
        "from django.conf import settings as s;"
        "print(s.SESSION_COOKIE_NAME, s.SESSION_COOKIE_SECURE, s.SECURE_HSTS_SECONDS > 0);"
        "print('node.example.org' in s.ALLOWED_HOSTS)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | environ | {"DJANGO_SETTINGS_MODULE": "corridor.server.settings"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout.split() == ["__Host-corridor_pk_nih_session", "True", "True", "True"], done.stderr


@pytest.mark.django_db
def test_every_answer_carries_the_content_policy(client: Client) -> None:
    answer = client.get("/accounts/login")

    assert answer.headers["Content-Security-Policy"] == middleware.CONTENT_SECURITY_POLICY
    assert "default-src 'none'" in middleware.CONTENT_SECURITY_POLICY
    assert "unsafe" not in middleware.CONTENT_SECURITY_POLICY
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert "no-store" in answer.headers["Cache-Control"]


@pytest.mark.django_db
def test_form_from_another_site_is_refused() -> None:
    strict = Client(enforce_csrf_checks=True)

    assert strict.post("/accounts/login", {"username": "x", "password": "y"}).status_code == 403


def test_no_password_hasher_but_argon2() -> None:
    from corridor.server import settings

    assert settings.PASSWORD_HASHERS == ["django.contrib.auth.hashers.Argon2PasswordHasher"]
    assert "django.contrib.admin" not in django_settings.INSTALLED_APPS
