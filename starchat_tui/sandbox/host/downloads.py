"""Downloads for the code, which has no network itself: the host fetches files for it.

Only what the user agreed to, by https, from the host that was named. The name is resolved once; if
one of its addresses is private, link-local or otherwise not of the public Internet, nothing is
fetched, and the connection goes to the very address that was checked. A redirect may change the
path, never the host. At most 20 MB, within 20 s, without cookies or credentials.
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

MAX_BYTES = 20_000_000
TIMEOUT = 20.0
"""Seconds that a download may take in all."""
MAX_REDIRECTS = 5
PORT = 443
_READ_SIZE = 2**16
_URL_LITERAL = re.compile(r"""(?<=["'])https?://[^\s"'{}<>\\]+(?=["'])""")
"""URL that is a whole string literal in the code, without placeholders of an f-string."""
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
"""Prefix of IPv6 addresses that stand for the IPv4 address in their last four bytes (RFC 6052)."""
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
"""All IPv6 addresses that are or may be assigned to hosts of the public Internet."""
_RESERVED_NETWORKS = tuple(
    # Parts of the registries of IANA that releases of Python judge differently: protocol
    # assignments (Teredo among them), relays of 6to4, and documentation.
    ipaddress.ip_network(network)
    for network in ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "2001:db8::/32", "3fff::/20")
)
_UNSAFE_CHARACTERS = re.compile(r"[^\w.-]")


@dataclass(frozen=True, slots=True)
class Download:
    """Content of a URL."""

    url: str
    """As it is written in the code."""
    name: str
    """Name of the file that the code reads."""
    data: bytes


class DownloadRefused(StarChatError):
    """A URL was not downloaded, or not completely."""

    exit_code = 69
    code = "download"


def _resolve_host(host: str) -> list[str]:
    found = socket.getaddrinfo(host, PORT, type=socket.SOCK_STREAM)
    return [str(address[4][0]) for address in found]


@dataclass(frozen=True, slots=True)
class Network:
    """Network functions; tests replace them."""

    resolve: Callable[[str], Sequence[str]] = _resolve_host
    """Return the IP addresses of a host."""
    connect: Callable[[tuple[str, int], float], socket.socket] = socket.create_connection
    """Connect to an address and port within some seconds."""
    tls: Callable[[], ssl.SSLContext] = ssl.create_default_context


def find_urls(code: str, *, strict: bool = False) -> list[str]:
    """Return the URLs in `code`, each once, without those that the sandbox serves offline.

    Also those that are not https, which `fetch` refuses with a reason.
    """
    found = dict.fromkeys(_URL_LITERAL.findall(code))
    here = set() if strict else set(countries.find_urls(code))
    return [url for url in found if url not in here and _is_valid_url(url)]


def _is_valid_url(url: str) -> bool:
    """Return whether a URL can be parsed at all; `https://[your-host]/` cannot."""
    try:
        return bool(urlsplit(url).hostname)
    except ValueError:
        return False


def get_host(url: str) -> str:
    """Return the host of a URL, as the user is asked about it."""
    return (urlsplit(url).hostname or "").lower()


def replace_urls(code: str, downloads: Sequence[Download]) -> str:
    """Return `code` with each URL replaced by the name of the file that holds its content."""
    names = {download.url: download.name for download in downloads}
    return _URL_LITERAL.sub(lambda found: names.get(found[0], found[0]), code)


def assign_unique_names(downloads: Sequence[Download], taken: Iterable[str] = ()) -> list[Download]:
    """Return the downloads under names that differ from each other and from those `taken`."""
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


async def fetch(url: str, *, network: Network | None = None, timeout: float = TIMEOUT) -> Download:
    """Download a URL whose host the user agreed to; raise `DownloadRefused`."""
    fetching = _Fetcher(url, network or Network(), time.monotonic() + timeout)
    try:
        async with asyncio.timeout(timeout):
            return await asyncio.to_thread(fetching.run)
    except TimeoutError as error:
        raise DownloadRefused(
            f"{get_host(url)} did not send the file within {timeout:g} s"
        ) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        # ValueError: a host name that IDNA cannot encode, or a malformed redirect.
        why = str(error) or type(error).__name__
        raise DownloadRefused(f"{get_host(url)} could not be reached: {why}") from error
    finally:
        # A thread cannot be cancelled, but its socket can be shut down under it.
        fetching.abandon()


class _Fetcher:
    """One download in a thread of its own."""

    def __init__(self, url: str, network: Network, end: float) -> None:
        self._url, self._network, self._deadline = url, network, end
        self._socket: socket.socket | None = None
        self._abandoned = threading.Event()

    def abandon(self) -> None:
        """Shut the connection down, from another thread."""
        self._abandoned.set()
        if self._socket:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def run(self) -> Download:
        """Download, following redirects within the host."""
        first = target = _parse_url(self._url)
        address = self._resolve_public_address(first.hostname or "")
        for _ in range(MAX_REDIRECTS + 1):
            found = self._request(target, address)
            if isinstance(found, bytes):
                return Download(self._url, _choose_file_name(target), found)
            # A redirect gets the same checks as the first URL; another host was never agreed to.
            target = _parse_url(urljoin(target.geturl(), found))
            if target.hostname != first.hostname:
                message = f"{first.hostname} redirects to {target.hostname}"
                raise DownloadRefused(message, "if you trust that host, put its URL into the code")
        raise DownloadRefused(f"{first.hostname} redirects too often")

    def _resolve_public_address(self, host: str) -> str:
        # Resolved once for all requests: with a second look-up, a name that is public now could be
        # 127.0.0.1 or the cloud's metadata service a moment later (DNS rebinding).
        addresses = list(self._network.resolve(host))
        if not addresses:
            raise DownloadRefused(f"{host} has no address")
        for address in addresses:
            if not is_public(address):
                message = f"{host} is {address}, which is not on the public Internet"
                raise DownloadRefused(message, "download the file yourself and attach it")
        return addresses[0]

    def _request(self, target: SplitResult, address: str) -> bytes | str:
        """Request the file; return its content, or the URL that the server redirects to."""
        host = target.hostname or ""
        connection = http.client.HTTPConnection(host)
        connection.sock = self._connect_tls(host, address)
        with closing(connection):
            path = target.path or "/"
            target_path = f"{path}?{target.query}" if target.query else path
            # `http.client` does not decompress: a compressed file would be stored as it is.
            headers = {"Accept": "*/*", "Accept-Encoding": "identity", "Connection": "close"}
            connection.request("GET", target_path, headers={**headers, "User-Agent": "starchat"})
            with closing(connection.getresponse()) as response:
                if response.status in (301, 302, 303, 307, 308):
                    return response.getheader("Location") or ""
                if response.status != 200:
                    raise DownloadRefused(
                        f"{host} answers {response.status} {response.reason[:80]}"
                    )
                return self._read_body(response, host)

    def _connect_tls(self, host: str, address: str) -> socket.socket:
        """Connect to exactly this address; TLS then proves that it belongs to the host."""
        raw = self._network.connect((address, PORT), self._remaining_seconds())
        try:
            self._socket = self._network.tls().wrap_socket(raw, server_hostname=host)
        except BaseException:
            raw.close()
            raise
        # It may have been abandoned before there was a socket to shut down.
        if self._abandoned.is_set():
            self.abandon()
        return self._socket

    def _read_body(self, response: http.client.HTTPResponse, host: str) -> bytes:
        data = bytearray()
        while chunk := response.read(_READ_SIZE):
            data += chunk
            if len(data) > MAX_BYTES:
                raise DownloadRefused(
                    f"{host} sends more than {MAX_BYTES // 1_000_000} MB",
                    "download the file yourself and attach it, or a part of it",
                )
            self._remaining_seconds()
        if response.length:
            raise DownloadRefused(f"{host} closed the connection before the file was complete")
        return bytes(data)

    def _remaining_seconds(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the download took too long")
        return left


def _parse_url(url: str) -> SplitResult:
    """Parse a URL that may be downloaded; raise `DownloadRefused`."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise DownloadRefused(f"`{url}` is not a valid URL: {error}") from error
    if parts.scheme != "https":
        raise DownloadRefused(
            f"`{url}` is not https", "only https shows that nobody has changed the file"
        )
    if not parts.hostname or parts.username is not None or port not in (None, PORT):
        raise DownloadRefused(f"`{url}` must name only a host", "remove the user name or port")
    # Control characters and spaces could end the request line and begin a header.
    if any(ord(one) <= 0x20 or ord(one) >= 0x7F for one in url):
        raise DownloadRefused(f"`{url}` contains characters that a URL cannot have")
    return parts


def is_public(address: str) -> bool:
    """Return whether an IP address, and any IPv4 address embedded in it, is public."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        # An IPv6 address may be routed to an IPv4 one inside it: mapped or NAT64.
        if ip.ipv4_mapped is not None or ip in _NAT64:
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
        # The table of Python knows what was reserved when it was released; this is all that has
        # been allocated (https://www.iana.org/assignments/ipv6-unicast-address-assignments).
        if ip not in _GLOBAL_UNICAST or not all(map(is_public, _list_tunnel_ends(ip))):
            return False
    is_reserved = any(ip in network for network in _RESERVED_NETWORKS)
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or is_reserved)


def _list_tunnel_ends(ip: ipaddress.IPv6Address) -> list[str]:
    """Return the IPv4 addresses that packets to an IPv6 address may be tunneled to."""
    ends = [ip.sixtofour]
    # ISATAP (RFC 5214): the interface identifier is 0:5efe or 200:5efe, then the IPv4 address.
    if (int(ip) >> 32) & 0xFCFFFFFF == 0x00005EFE:
        ends.append(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF))
    return [str(end) for end in ends if end is not None]


def _choose_file_name(target: SplitResult) -> str:
    """Return a plain file name for the content of a URL."""
    last = PurePosixPath(unquote(target.path)).name
    plain = _UNSAFE_CHARACTERS.sub("_", last).strip("._")[-100:]
    return plain or f"{_UNSAFE_CHARACTERS.sub('_', target.hostname or '')}.html"
