"""Where the workbench listens, and by which names a browser may call it."""

from __future__ import annotations

import secrets
import socket
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

__all__ = ["Address", "host_of", "is_loopback"]

# An address that no packet reaches (RFC 5737); the way towards it names this machine's own.
_ELSEWHERE = ("192.0.2.1", 9)


def is_loopback(host: str) -> bool:
    """Whether only programs of this machine can reach `host`; False for names but localhost."""
    number = _number(host)
    return host.lower() == "localhost" if number is None else number.is_loopback


def host_of(authority: str) -> str:
    """The host of ``host:port`` in lower case, brackets taken off; empty if it is none."""
    if "@" in authority or "/" in authority:
        return ""
    with suppress(ValueError):
        return urlsplit(f"//{authority}").hostname or ""
    return ""


@dataclass(frozen=True)
class Address:
    """The one address of a workbench.

    Attributes:
        host: The name or number to listen on.
        port: The port; 0 before the system has chosen one.
        token: What every request must bring; None where only this machine can reach the host.
    """

    host: str
    port: int
    token: str | None

    @classmethod
    def of(cls, host: str, port: int) -> Address:
        """The address for a host; a new token is made unless the host is a loopback address."""
        if is_loopback(host):
            # Under the name, two protocols would listen, on two ports if the system chooses.
            return cls("127.0.0.1" if _number(host) is None else host, port, None)
        return cls(host, port, secrets.token_urlsafe(32))

    @property
    def cookie(self) -> str:
        """The token's cookie; a browser sends the cookies of one port to all ports of a host."""
        return f"activeseg-{self.port}"

    @property
    def url(self) -> str:
        """What a person opens; it holds the token where there is one."""
        host = self.host
        number = _number(host)
        if number is not None and number.is_unspecified:
            host = _own_number()
        if ":" in host:
            host = f"[{host}]"
        return f"http://{host}:{self.port}/" + (f"?token={self.token}" if self.token else "")

    def allows(self, authority: str) -> bool:
        """Whether a ``Host`` header names this machine.

        A page of another site can point its own name at this machine (DNS rebinding), yet the
        browser then sends that name. Numbers cannot be pointed elsewhere.

        Args:
            authority: The header, with or without a port; a tunnel may have changed the port.
        """
        name = host_of(authority)
        number = _number(name)
        if self.token is None:
            return is_loopback(name)
        return number is not None or name in self._names()

    def _names(self) -> set[str]:
        own = socket.gethostname().lower()
        return {"localhost", self.host.lower(), own, f"{own}.local"}


def _number(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _own_number() -> str:
    """This machine's number towards others, its name where it has none. Sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, suppress(OSError):
        probe.connect(_ELSEWHERE)
        return str(probe.getsockname()[0])
    return socket.gethostname()
