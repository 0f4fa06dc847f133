"""Read a node's settings: from the environment, then ``HOME/settings.toml``, then the default."""

from __future__ import annotations

import ipaddress
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from corridor.base.errors import WrongUsage

SETTINGS_FILE = "settings.toml"
DATABASE_FILE = "corridor.db"


class BadSetting(WrongUsage):
    """A setting has a value that cannot be used."""

    code = "bad-setting"


@dataclass(frozen=True)
class Setting:
    """One line of the table of settings.

    Attributes
    ----------
    name : str
        The key in ``settings.toml`` and in ``settings.CORRIDOR``.
    kind : str
        ``text``, ``flag``, ``number``, ``path`` or ``list`` (commas in the environment, an array in the file).
    default : object
        The value where nothing is given; None means "unset".
    help : str
        One sentence for the reference page.
    variable : str
        The environment variable that overrides the file; empty where only the file counts.
    in_file : bool
        Whether the file may hold it; what is secret or names the home may not.
    """

    name: str
    kind: str
    default: Any
    help: str
    variable: str = ""
    in_file: bool = True


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "home", "path", None, "The folder of the node: database, keys, bodies, settings.toml.", "CORRIDOR_HOME", False
    ),
    Setting(
        "database_url",
        "text",
        None,
        "postgresql://user:password@host:port/name, in place of the SQLite file of the home.",
        "DATABASE_URL",
        False,
    ),
    Setting(
        "secret_file",
        "path",
        None,
        "The file with the secret that wraps the keys, outside the home; default HOME.secret beside it.",
        "CORRIDOR_SECRET_FILE",
        False,
    ),
    Setting("token", "text", None, "The actor's token of the person who runs a command.", "CORRIDOR_TOKEN", False),
    Setting(
        "id",
        "text",
        "",
        "The node's id, such as pk.nih: country code, dot, institution. Fixed by `corridor node init`.",
    ),
    Setting("name", "text", "", "The institution's name as partners see it."),
    Setting("country", "text", "", "ISO 3166-1 alpha-2 code of the node's country."),
    Setting("url", "text", "", "The address at which people and partners reach the node."),
    Setting(
        "database",
        "text",
        "sqlite",
        "Which database the node was made on, sqlite or postgresql; guards against a forgotten DATABASE_URL.",
    ),
    Setting(
        "language", "text", "en", "Language of the pages for a visitor who has chosen none: en, zh-hans, ru or ur."
    ),
    Setting("time_zone", "text", "UTC", "Time zone in which pages show times; the database keeps UTC."),
    Setting(
        "one_person",
        "flag",
        False,
        "One person decides alone where two are asked for; shown on every agreement. For small nodes.",
    ),
    Setting(
        "simulated", "flag", False, "The data are simulated; SIMULATED stands inside every page, chart and export."
    ),
    Setting(
        "allowed_hosts",
        "list",
        (),
        "Host names under which the node answers, besides the one of its url and the loopback addresses.",
        "CORRIDOR_ALLOWED_HOSTS",
    ),
    Setting(
        "behind_proxy",
        "flag",
        False,
        "A proxy ends TLS in front of the node; X-Forwarded-Proto and the last X-Forwarded-For are then believed.",
        "CORRIDOR_BEHIND_PROXY",
    ),
    Setting(
        "partner_hosts",
        "list",
        (),
        "Host names of partners at addresses that are not global, inside one's own network; all others are refused.",
        "CORRIDOR_PARTNER_HOSTS",
    ),
    Setting(
        "tls_certificate",
        "path",
        None,
        "A PEM file with certificate and key that this node shows to partners; made by `corridor node certificate`.",
        "CORRIDOR_TLS_CERTIFICATE",
    ),
    Setting(
        "test_crash",
        "text",
        None,
        "For the project's own tests: name:count of a point at which a process dies, as in a power cut.",
        "CORRIDOR_TEST_CRASH",
        False,
    ),
    Setting(
        "fonts",
        "path",
        None,
        "A folder with fonts for rendered charts and PDF documents, besides those of the system.",
        "CORRIDOR_FONTS",
    ),
    Setting(
        "log_level", "text", "INFO", "How much the processes say: DEBUG, INFO, WARNING or ERROR.", "CORRIDOR_LOG_LEVEL"
    ),
)

_BY_NAME = {setting.name: setting for setting in SETTINGS}
_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off", ""})


def read(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return every setting of the table by name.

    Parameters
    ----------
    environ : mapping
        Usually ``os.environ``.

    Returns
    -------
    dict
        One value per setting. A home that does not exist yet is fine: the defaults stand.

    Raises
    ------
    BadSetting
        If a value has the wrong type, or ``settings.toml`` holds an unknown key.
    """
    home = Path(environ["CORRIDOR_HOME"]).expanduser().absolute() if environ.get("CORRIDOR_HOME") else None
    written = read_file(home / SETTINGS_FILE) if home is not None else {}
    values: dict[str, Any] = {}
    for setting in SETTINGS:
        if setting.variable and setting.variable in environ:
            values[setting.name] = _from_text(setting, environ[setting.variable])
        else:
            values[setting.name] = written.get(setting.name, setting.default)
    values["home"] = home
    if home is not None and values["secret_file"] is None:
        values["secret_file"] = home.with_name(home.name + ".secret")
    return values


def read_file(path: Path) -> dict[str, Any]:
    """Return what ``settings.toml`` at `path` says, checked against the table; empty where there is no such file."""
    try:
        written = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise BadSetting(f"{path} cannot be read as TOML: {error}. Mend that line, or restore the file.") from error
    values = {}
    for name, value in written.items():
        setting = _BY_NAME.get(name)
        if setting is None or not setting.in_file:
            known = ", ".join(each.name for each in SETTINGS if each.in_file)
            raise BadSetting(f"{path} holds {name}, which is not a setting of the file. Known: {known}.")
        values[name] = _from_toml(setting, value)
    return values


def write_file(path: Path, values: Mapping[str, Any]) -> None:
    """Write `values` to `path` as TOML, each with its line of help above."""
    lines = []
    for setting in SETTINGS:
        if setting.in_file and setting.name in values:
            lines += [f"# {setting.help}", f"{setting.name} = {_to_toml(values[setting.name])}", ""]
    path.write_text("\n".join(lines), encoding="utf-8")


def _to_toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_to_toml(each) for each in value) + "]"
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(mark if mark >= " " and mark != "\x7f" else f"\\u{ord(mark):04X}" for mark in text) + '"'


def _from_text(setting: Setting, text: str) -> Any:
    where = setting.variable
    if setting.kind == "flag":
        if text.lower() in _TRUE | _FALSE:
            return text.lower() in _TRUE
        raise BadSetting(f"{where} is {text!r}; it takes 1 or 0.")
    if setting.kind == "list":
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if not text:
        return setting.default
    return Path(text).expanduser().absolute() if setting.kind == "path" else text


def _from_toml(setting: Setting, value: Any) -> Any:
    fits = isinstance(value, {"flag": bool, "list": list}.get(setting.kind, str))
    if not fits:
        raise BadSetting(f"{SETTINGS_FILE}: {setting.name} is {value!r}; it takes a {setting.kind}.")
    if setting.kind == "list":
        return tuple(str(each) for each in value)
    return Path(value).expanduser().absolute() if setting.kind == "path" else value


def database(url: str | None, home: Path | None) -> dict[str, Any]:
    """Return Django's description of the database.

    Parameters
    ----------
    url : str or None
        ``DATABASE_URL``; None or empty means the SQLite file of the home.
    home : Path or None
        None gives a database in memory, so that settings import without a home.

    Raises
    ------
    BadSetting
        If `url` names another kind of database, or no database.
    """
    if not url:
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": home / DATABASE_FILE if home is not None else ":memory:",
            "OPTIONS": {
                # IMMEDIATE takes the write lock at BEGIN, so no transaction fails half way with "database is locked";
                # FULL makes a commit survive a power cut, which an acknowledged envelope must.
                "transaction_mode": "IMMEDIATE",
                "timeout": 30,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
            },
        }
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"}:
        raise BadSetting(
            f"DATABASE_URL begins with {parts.scheme or 'nothing'!r}; it takes postgresql://user:password@host:port/name."
        )
    name = unquote(parts.path.lstrip("/"))
    if not name:
        raise BadSetting(
            "DATABASE_URL names no database after the host; it takes postgresql://user:password@host:port/name."
        )
    options: dict[str, Any] = dict(parse_qsl(parts.query))
    host = options.pop("host", None) or unquote(parts.hostname or "")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": name,
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": host,
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": options,
    }


def is_loopback(host: str) -> bool:
    """Tell whether `host` names this machine alone."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
