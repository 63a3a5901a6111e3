"""Files that code wants from the network, fetched here and given to it: it has no network itself.

Only what the user agreed to, by https, from the host that was named. The name is resolved once;
where one of its addresses is private, link-local or otherwise not of the public Internet, nothing
is fetched, and the connection goes to the very address that was looked at. A redirect may change
the path, never the host. At most 20 MB, within 20 s, without cookies or credentials.
"""

from __future__ import annotations

import asyncio
import http.client
import ipaddress
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

from starchat_tui.errors import StarChatError
from starchat_tui.sandbox.guest import countries

MOST_BYTES = 20_000_000
PATIENCE = 20.0
"""Seconds that a download may take, all told."""
MOST_REDIRECTS = 5
PORT = 443
_PIECE = 2**16
_LITERAL = re.compile(r"""(?<=["'])https?://[^\s"'{}<>\\]+(?=["'])""")
"""An address that is the whole of a string in the code, and not an f-string's."""
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
"""IPv6 addresses that stand for the IPv4 address in their last four bytes (RFC 6052)."""
_SAFE = re.compile(r"[^\w.-]")


@dataclass(frozen=True, slots=True)
class Download:
    """What an address held."""

    url: str
    """As it stands in the code."""
    name: str
    """Of the file that the code finds."""
    data: bytes


class Refused(StarChatError):
    """The address was not fetched, or not to its end."""

    exit_code = 69
    code = "download"


def _resolve(host: str) -> list[str]:
    found = socket.getaddrinfo(host, PORT, type=socket.SOCK_STREAM)
    return [str(address[4][0]) for address in found]


@dataclass(frozen=True, slots=True)
class Network:
    """The ways out of this machine; tests have others."""

    resolve: Callable[[str], Sequence[str]] = _resolve
    """The addresses of a host."""
    dial: Callable[[tuple[str, int], float], socket.socket] = socket.create_connection
    """A connection to an address and a port, within some seconds."""
    tls: Callable[[], ssl.SSLContext] = ssl.create_default_context


def urls(code: str, *, strict: bool = False) -> list[str]:
    """The addresses that stand in `code`, each once; not those that the sandbox has offline.

    Only https can be fetched, and `fetch` says so.
    """
    found = dict.fromkeys(_LITERAL.findall(code))
    here = set() if strict else set(countries.addresses(code))
    return [url for url in found if url not in here and _is_address(url)]


def _is_address(url: str) -> bool:
    """Whether it can be taken apart at all; `https://[your-host]/` cannot."""
    try:
        return bool(urlsplit(url).hostname)
    except ValueError:
        return False


def host_of(url: str) -> str:
    """The host of an address, as it is to be agreed to."""
    return (urlsplit(url).hostname or "").lower()


def offline(code: str, downloads: Sequence[Download]) -> str:
    """`code` with each address replaced by the name of the file that holds it."""
    names = {download.url: download.name for download in downloads}
    return _LITERAL.sub(lambda found: names.get(found[0], found[0]), code)


def apart(downloads: Sequence[Download], taken: Iterable[str] = ()) -> list[Download]:
    """The downloads under names that differ from each other and from those that are `taken`."""
    used = set(taken)
    found = []
    for download in downloads:
        name, count = download.name, 1
        while name in used:
            count += 1
            name = f"{count}-{download.name}"
        used.add(name)
        found.append(replace(download, name=name))
    return found


async def fetch(
    url: str, *, network: Network | None = None, patience: float = PATIENCE
) -> Download:
    """The file at an address whose host the user agreed to; raises `Refused`."""
    fetching = _Fetching(url, network or Network(), time.monotonic() + patience)
    try:
        async with asyncio.timeout(patience):
            return await asyncio.to_thread(fetching.run)
    except TimeoutError as error:
        raise Refused(f"{host_of(url)} did not send the file within {patience:g} s") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        # The last is what a name that has no spelling in the DNS raises, and a malformed redirect.
        why = str(error) or type(error).__name__
        raise Refused(f"{host_of(url)} could not be reached: {why}") from error
    finally:
        # Whatever the thread waits for, it waits no longer.
        fetching.abandon()


class _Fetching:
    """One download, in a thread of its own."""

    def __init__(self, url: str, network: Network, end: float) -> None:
        self._url, self._network, self._end = url, network, end
        self._socket: socket.socket | None = None
        self._abandoned = threading.Event()

    def abandon(self) -> None:
        """Close the connection."""
        self._abandoned.set()
        if self._socket:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def run(self) -> Download:
        """Fetch, following redirects within the host."""
        first = target = _checked(self._url)
        address = self._public_address(first.hostname or "")
        for _ in range(MOST_REDIRECTS + 1):
            found = self._once(target, address)
            if isinstance(found, bytes):
                return Download(self._url, _name(target), found)
            target = _checked(urljoin(target.geturl(), found))
            if target.hostname != first.hostname:
                said = f"{first.hostname} sends on to {target.hostname}"
                raise Refused(said, "if you trust that host, put its address into the code")
        raise Refused(f"{first.hostname} sends in circles")

    def _public_address(self, host: str) -> str:
        addresses = list(self._network.resolve(host))
        if not addresses:
            raise Refused(f"{host} has no address")
        for address in addresses:
            if not is_public(address):
                said = f"{host} is {address}, which is not on the public Internet"
                raise Refused(said, "download the file yourself and attach it")
        return addresses[0]

    def _once(self, target: SplitResult, address: str) -> bytes | str:
        """The file, or where the server sends on to."""
        host = target.hostname or ""
        connection = http.client.HTTPConnection(host)
        connection.sock = self._connected(host, address)
        with closing(connection):
            path = target.path or "/"
            whole = f"{path}?{target.query}" if target.query else path
            headers = {"Accept": "*/*", "Accept-Encoding": "identity", "Connection": "close"}
            connection.request("GET", whole, headers={**headers, "User-Agent": "starchat"})
            with closing(connection.getresponse()) as answer:
                if answer.status in (301, 302, 303, 307, 308):
                    return answer.getheader("Location") or ""
                if answer.status != 200:
                    raise Refused(f"{host} answers {answer.status} {answer.reason[:80]}")
                return self._body(answer, host)

    def _connected(self, host: str, address: str) -> socket.socket:
        """A TLS connection to exactly this address, which shows that it is the host."""
        raw = self._network.dial((address, PORT), self._left())
        try:
            self._socket = self._network.tls().wrap_socket(raw, server_hostname=host)
        except BaseException:
            raw.close()
            raise
        if self._abandoned.is_set():
            self.abandon()
        return self._socket

    def _body(self, answer: http.client.HTTPResponse, host: str) -> bytes:
        data = bytearray()
        while piece := answer.read(_PIECE):
            data += piece
            if len(data) > MOST_BYTES:
                raise Refused(
                    f"{host} sends more than {MOST_BYTES // 1_000_000} MB",
                    "download the file yourself and attach it, or a part of it",
                )
            self._left()
        if answer.length:
            raise Refused(f"{host} hung up before the file was whole")
        return bytes(data)

    def _left(self) -> float:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("it took too long")
        return left


def _checked(url: str) -> SplitResult:
    """An address that may be fetched; raises `Refused`."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Refused(f"`{url}` is no address: {error}") from error
    if parts.scheme != "https":
        raise Refused(f"`{url}` is not https", "nothing is fetched that others could have changed")
    if not parts.hostname or parts.username is not None or port not in (None, PORT):
        raise Refused(f"`{url}` names no host alone", "a user or a port is not asked for")
    if any(ord(one) <= 0x20 or ord(one) >= 0x7F for one in url):
        raise Refused(f"`{url}` holds characters that an address cannot have")
    return parts


def is_public(address: str) -> bool:
    """Whether an IP address is of the public Internet, also the one it may stand for."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None or ip in _NAT64:
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
        within = [ip.sixtofour, *(ip.teredo or ())]
        if not all(is_public(str(one)) for one in within if one is not None):
            return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def _name(target: SplitResult) -> str:
    """A plain file name for what the address holds."""
    last = PurePosixPath(unquote(target.path)).name
    plain = _SAFE.sub("_", last).strip("._")[-100:]
    return plain or f"{_SAFE.sub('_', target.hostname or '')}.html"
