"""Where a partner may be called: its address resolved once and judged, so that the connection goes to that very one."""

from __future__ import annotations

import ipaddress
import socket  # noqa: TID251  # this is the room that connects: resolve once, connect there
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings

from corridor.base.errors import Refused, Unreachable
from corridor.exchange import queries


class AddressRefused(Refused):
    """A partner's address may not be called: its form, or where it leads."""

    code = "address-refused"


class PartnerUnreachable(Unreachable):
    """A partner did not answer, or not as a node does."""

    code = "partner-unreachable"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a partner is called: as its card says, and the one IP address that this was resolved to."""

    scheme: str
    netloc: str
    host: str
    port: int
    ip: str


def check_address(url: str) -> Address:
    """Return where `url` leads, resolved once; the connection then goes to that very address.

    Raises
    ------
    AddressRefused
        If it has user info, a path, another scheme than https (http on loopback), or leads to an address that is not
        global and not allowed by name.
    PartnerUnreachable
        If the name does not resolve.
    """
    parts = urlsplit(url)
    try:
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        raise AddressRefused(f"{url!r} has no port that could be called") from None
    if parts.scheme not in ("http", "https") or not host or parts.username or parts.password or parts.query:
        raise AddressRefused(f"{url!r} is no address of a node; expected https://host or https://host:port")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        raise PartnerUnreachable(f"the name {host} does not resolve") from None
    allowed = [info[4][0] for info in found if _may_call(str(info[4][0]), host, scheme=parts.scheme)]
    if not allowed:
        raise AddressRefused(
            f"{host} leads to {found[0][4][0]}, which no partner is called at. An address inside this network is "
            "allowed by its host name in settings.toml: partner_hosts = [...]."
        )
    return Address(parts.scheme, parts.netloc, host, port, str(allowed[0]))


def _may_call(ip: str, host: str, *, scheme: str) -> bool:
    address = ipaddress.ip_address(ip.partition("%")[0])
    named = host in tuple(settings.CORRIDOR.get("partner_hosts") or ())
    if address.is_loopback:
        return named or _is_on_loopback()
    if scheme != "https":
        return False
    return named or (address.is_global and not address.is_multicast)


def _is_on_loopback() -> bool:
    """Return whether this node is itself called on loopback; it may then call its neighbours there."""
    node = queries.own_node()
    host = urlsplit(node.url).hostname or "" if node else ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
