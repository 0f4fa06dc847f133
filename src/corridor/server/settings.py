"""Django's settings of a node; they import without a home, so that tests and tools can read them."""

import hashlib
import logging
import os
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from corridor.server import env
from corridor.web.formats import LANGUAGE_NAMES

_values = env.read(os.environ)

CORRIDOR: dict[str, Any] = _values
"""Every setting of `corridor.server.env` by name."""
CORRIDOR_HOME: Path | None = _values["home"]
CORRIDOR_SECRET_FILE: Path | None = _values["secret_file"]
CORRIDOR_FONTS: Path | None = _values["fonts"]


def _secret_key(secret_file: Path | None) -> str:
    """Derive the key that signs cookies from the secret outside the home; without one, make one for this process."""
    if secret_file is not None and secret_file.is_file():
        return hashlib.sha256(b"corridor cookie key\0" + secret_file.read_bytes()).hexdigest()
    return secrets.token_hex(32)


_node_slug = "".join(mark if mark.isalnum() else "_" for mark in _values["id"]) or "node"
_url = urlsplit(_values["url"])
_host = _url.hostname or "localhost"
_on_loopback = env.is_loopback(_host)
_over_tls = _url.scheme == "https"

SECRET_KEY = _secret_key(CORRIDOR_SECRET_FILE)
DEBUG = False
ALLOWED_HOSTS = sorted({"localhost", "127.0.0.1", "[::1]", _host, *_values["allowed_hosts"]})

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "corridor.accounts",
    "corridor.jobs",
    "corridor.exchange",
    "corridor.web",
    "corridor.pillars.surveillance",
    "corridor.pillars.research",
]

MIDDLEWARE = [
    "corridor.server.middleware.security_headers",
    "corridor.web.middleware.compress_pages",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "corridor.server.middleware.FaultPages",
]

ROOT_URLCONF = "corridor.server.urls"
WSGI_APPLICATION = "corridor.server.wsgi.application"
APPEND_SLASH = True

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {"default": env.database(_values["database_url"], CORRIDOR_HOME)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "accounts.Person"
AUTHENTICATION_BACKENDS = ["corridor.accounts.login.PasswordBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("username", "display_name")},
    },
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "accounts:login"
LOGIN_REDIRECT_URL = "/"

# Ports do not separate cookies: without the node in the name, two nodes on one machine would end each other's sessions.
_cookie_prefix = "" if _on_loopback else "__Host-"
SESSION_ENGINE = "corridor.accounts.sessions"
SESSION_COOKIE_NAME = f"{_cookie_prefix}corridor_{_node_slug}_session"
SESSION_COOKIE_SECURE = _over_tls or not _on_loopback
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 60 * 60
SESSION_SAVE_EVERY_REQUEST = False
CSRF_USE_SESSIONS = True
CSRF_TRUSTED_ORIGINS = [f"{_url.scheme}://{_url.netloc}"] if _url.netloc else []
LANGUAGE_COOKIE_NAME = f"corridor_{_node_slug}_language"
LANGUAGE_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_SECURE = SESSION_COOKIE_SECURE
LANGUAGE_COOKIE_AGE = 365 * 24 * 60 * 60
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = 0 if _on_loopback else 365 * 24 * 60 * 60
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _values["behind_proxy"] else None

LANGUAGE_CODE = _values["language"]
# Each language by its own name, so that who reads only that one finds it.
LANGUAGES = list(LANGUAGE_NAMES.items())
USE_I18N = True
USE_TZ = True
TIME_ZONE = _values["time_zone"]

STATIC_URL = "/static/"
STATIC_ROOT = None
# whitenoise serves straight from the packages, so that no node has a collecting step to forget.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
WHITENOISE_MAX_AGE = 3600

# Line lists are streamed from commands; what comes through a browser form stays small.
DATA_UPLOAD_MAX_MEMORY_SIZE = 16 * 1024 * 1024
FILE_UPLOAD_PERMISSIONS = 0o600


def _is_no_put_off(entry: logging.LogRecord) -> bool:
    """Leave out Django's line of an error for "come again later" (503): it is an answer, not a fault of this node."""
    return getattr(entry, "status_code", None) != 503


LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "filters": {"faults": {"()": "django.utils.log.CallbackFilter", "callback": _is_no_put_off}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain", "filters": ["faults"]}},
    "root": {"handlers": ["console"], "level": _values["log_level"]},
    "loggers": {
        "django": {"handlers": ["console"], "level": "WARNING", "propagate": False},
        # One line for each request to a partner would bury everything else.
        "httpx": {"level": "WARNING"},
        "httpcore": {"level": "WARNING"},
    },
}
