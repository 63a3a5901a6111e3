"""Downloads by the host: from whom, from where, how much; against a real TLS server."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from starchat_tui.sandbox.host import downloads
from starchat_tui.sandbox.host.downloads import (
    Download,
    DownloadRefused,
    Network,
    fetch,
    find_urls,
    is_public,
)
from tests.waiting import PATIENCE

CERTIFICATE = Path(__file__).parents[1] / "data.example.pem"
"""Of `data.example`, signed by itself, with its key; good for nothing else."""
PUBLIC = "93.184.215.14"
CSV = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\na,b\n1,2\n"


class Server:
    """A TLS server that answers each request with what `answers` has for its path."""

    def __init__(self) -> None:
        self.answers: dict[str, bytes | Callable[[ssl.SSLSocket], None]] = {}
        self.requests: list[bytes] = []
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(CERTIFICATE)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = self._listening.getsockname()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                raw, _ = self._listening.accept()
            except OSError:
                return
            with suppress(OSError), self._tls.wrap_socket(raw, server_side=True) as connection:
                request = b""
                while b"\r\n\r\n" not in request and (piece := connection.recv(65536)):
                    request += piece
                self.requests.append(request)
                answer = self.answers.get(request.split()[1].decode(), b"HTTP/1.1 404 no\r\n\r\n")
                if callable(answer):
                    answer(connection)
                else:
                    connection.sendall(answer)

    def close(self) -> None:
        # Shutdown wakes a blocked `accept`; close does not.
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()


@pytest.fixture
def server() -> Iterator[Server]:
    one = Server()
    yield one
    one.close()


@pytest.fixture
def connected_to() -> list[tuple[str, int]]:
    """The addresses that were connected to."""
    return []


@pytest.fixture
def network(server: Server, connected_to: list[tuple[str, int]]) -> Network:
    """Every name is a public address, and every address is the server."""

    def connect(address: tuple[str, int], seconds: float) -> socket.socket:
        connected_to.append(address)
        return socket.create_connection(server.address, seconds)

    return Network(lambda host: [PUBLIC], connect, create_test_context)


def create_test_context() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(CERTIFICATE))


def resolve_to(network: Network, *addresses: str) -> Network:
    return Network(lambda host: list(addresses), network.connect, network.tls)


async def refuse_download(url: str, network: Network, patience: float = 20.0) -> str:
    with pytest.raises(DownloadRefused) as caught:
        await fetch(url, network=network, timeout=patience)
    return caught.value.message


async def test_the_connection_goes_to_the_address_that_was_checked(
    server: Server, network: Network, connected_to: list[tuple[str, int]]
) -> None:
    server.answers["/some/data.csv?raw=1"] = CSV
    got = await fetch("https://data.example/some/data.csv?raw=1", network=network)
    assert got == Download("https://data.example/some/data.csv?raw=1", "data.csv", b"a,b\n1,2\n")
    assert connected_to == [(PUBLIC, 443)]
    assert b"Host: data.example\r\n" in server.requests[0]
    assert b"Cookie" not in server.requests[0]
    assert b"Authorization" not in server.requests[0]


async def test_a_chunked_response_is_complete(server: Server, network: Network) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    server.answers["/d"] = head + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    assert (await fetch("https://data.example/d", network=network)).data == b"abcde"


@pytest.mark.parametrize(
    "url",
    [
        "http://data.example/d",
        "ftp://data.example/d",
        "file:///etc/passwd",
        "https://user:secret@data.example/d",
        "https://data.example:8443/d",
        "https://data.example:99999/d",
        "https:///d",
        "https://[::1/d",
        "https://data.example/d\r\nX-Forged: 1",
        "https://data.example/ d",
    ],
)
async def test_a_url_that_is_not_plain_https_is_refused(
    url: str, network: Network, connected_to: list[tuple[str, int]]
) -> None:
    await refuse_download(url, network)
    assert not connected_to


NOT_PUBLIC = """
127.0.0.1 10.1.2.3 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1 0.0.0.0 224.0.0.1 240.0.0.1
255.255.255.255 ::1 :: fe80::1 fc00::1 fd00:ec2::254 ff02::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1
2002:7f00:1:: 64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 2001:db8::1 198.18.0.1 192.0.2.1 fe80::1%eth0 text
fec0::1 3fff::1 4000::1 5f00::1 2001:0:7f00:1::1 192.0.0.8 192.0.0.9 192.88.99.1
2606:4700::5efe:10.0.0.1 2606:4700::200:5efe:127.0.0.1
""".split()


@pytest.mark.parametrize("address", NOT_PUBLIC)
async def test_only_public_addresses_are_connected_to(
    address: str, network: Network, connected_to: list[tuple[str, int]]
) -> None:
    assert not is_public(address)
    said = await refuse_download("https://data.example/d", resolve_to(network, address))
    assert address in said
    assert not connected_to


async def test_one_private_address_among_public_ones_is_refused(
    network: Network, connected_to: list[tuple[str, int]]
) -> None:
    await refuse_download("https://data.example/d", resolve_to(network, PUBLIC, "192.168.0.1"))
    await refuse_download("https://data.example/d", resolve_to(network))
    assert not connected_to


def test_public_addresses_are_recognized() -> None:
    found = [PUBLIC, "8.8.8.8", "2606:4700::1111", "2a00:1450::200e", "64:ff9b::808:808"]
    assert all(map(is_public, [*found, "2606:4700::5efe:8.8.8.8"]))


async def test_a_host_is_resolved_once(server: Server, network: Network) -> None:
    answers = iter([[PUBLIC], ["127.0.0.1"]])
    once = Network(lambda host: next(answers), network.connect, network.tls)
    server.answers["/a"] = b"HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n"
    server.answers["/b"] = CSV
    assert (await fetch("https://data.example/a", network=once)).name == "b"


@pytest.mark.parametrize(
    "target",
    ["https://evil.example/d", "//evil.example/d", "http://data.example/d", "https://127.0.0.1/d"],
)
async def test_a_redirect_does_not_leave_the_host(
    target: str, server: Server, network: Network
) -> None:
    server.answers["/a"] = f"HTTP/1.1 301 x\r\nLocation: {target}\r\n\r\n".encode()
    await refuse_download("https://data.example/a", network)
    assert len(server.requests) == 1


async def test_a_redirect_to_an_invalid_url_is_refused(server: Server, network: Network) -> None:
    server.answers["/a"] = b"HTTP/1.1 301 x\r\nLocation: https://[your-host]/d\r\n\r\n"
    await refuse_download("https://data.example/a", network)
    assert len(server.requests) == 1


async def test_an_invalid_host_name_is_refused(
    network: Network, connected_to: list[tuple[str, int]]
) -> None:
    longest = "a" * 70  # a label has at most 63
    said = await refuse_download(
        f"https://{longest}.example/d", Network(connect=network.connect, tls=network.tls)
    )
    assert "could not be reached" in said
    assert not connected_to


async def test_circular_redirects_end(server: Server, network: Network) -> None:
    server.answers["/a"] = b"HTTP/1.1 302 x\r\nLocation: /a\r\nContent-Length: 0\r\n\r\n"
    assert "too often" in await refuse_download("https://data.example/a", network)
    assert len(server.requests) == downloads.MAX_REDIRECTS + 1


async def test_a_file_that_is_too_large_is_given_up(
    server: Server, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "MAX_BYTES", 1_000_000)

    def endless(connection: ssl.SSLSocket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(bytes(65536))

    server.answers["/d"] = endless
    assert "more than 1 MB" in await refuse_download("https://data.example/d", network)


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: "])
async def test_a_slow_server_is_given_up(start: bytes, server: Server, network: Network) -> None:
    asked, left = threading.Event(), threading.Event()

    def dawdle(connection: ssl.SSLSocket) -> None:
        asked.set()
        connection.sendall(start)
        with suppress(OSError):
            while not left.wait(0.05):
                connection.sendall(b"x")
        left.set()

    server.answers["/d"] = dawdle
    try:
        for patience in (0.5, 5.0, 20.0):
            said = await refuse_download("https://data.example/d", network, patience=patience)
            assert f"within {patience:g} s" in said
            if asked.is_set():
                break
        # The connection is closed, too: the server cannot go on writing into it.
        assert await asyncio.to_thread(left.wait, PATIENCE)
    finally:
        left.set()


async def test_an_incomplete_file_is_refused(server: Server, network: Network) -> None:
    server.answers["/d"] = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc"
    said = await refuse_download("https://data.example/d", network)
    assert said == "data.example closed the connection before the file was complete"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 403 No\r\n\r\n", "answers 403 No"),
        (b"nonsense\r\n\r\n", "could not be reached: nonsense"),
        (b"", "could not be reached: Remote end closed connection without response"),
    ],
)
async def test_an_invalid_response_is_refused(
    answer: bytes, why: str, server: Server, network: Network
) -> None:
    server.answers["/d"] = answer
    said = await refuse_download("https://data.example/d", network)
    assert said.strip() == f"data.example {why}"


async def test_the_certificate_must_match_the_host(server: Server, network: Network) -> None:
    server.answers["/d"] = CSV
    assert "certificate" in await refuse_download("https://other.example/d", network)
    stranger = Network(network.resolve, network.connect)
    assert "certificate" in await refuse_download("https://data.example/d", stranger)
    assert not server.requests


def test_urls_are_found_if_they_are_whole_strings() -> None:
    code = """
# see https://comment.example/x
df = pd.read_csv("https://a.example/x.csv")
other = pd.read_csv('http://b.example/y.csv')
again = "https://a.example/x.csv"
made = f"https://c.example/{name}.csv"
said = "read https://d.example/ first"
"""
    assert find_urls(code) == ["https://a.example/x.csv", "http://b.example/y.csv"]


def test_text_that_cannot_be_parsed_is_not_a_url() -> None:
    code = """
a("https://[your-host]/api"), b("http://[::1/x"), c('https:///x'), d("https://a.example/x.csv")
"""
    assert find_urls(code) == ["https://a.example/x.csv"]


def test_data_that_is_available_offline_is_not_downloaded() -> None:
    code = 'gpd.read_file("https://naciscdn.org/naturalearth/110m/cultural/ne_110m_admin_0_countries.zip")'
    assert find_urls(code) == []
    assert len(find_urls(code, strict=True)) == 1


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/x/data.csv", "data.csv"),
        ("/", "data.example.html"),
        ("/..%2f..%2fetc%2fpasswd", "passwd"),
        ("/%1b]0;x%07.csv", "0_x_.csv"),
        ("/.bashrc", "bashrc"),
        ("/" + "x" * 500 + ".csv", "x" * 96 + ".csv"),
    ],
)
async def test_a_file_has_a_plain_name(
    path: str, name: str, server: Server, network: Network
) -> None:
    server.answers[path] = CSV
    assert (await fetch(f"https://data.example{path}", network=network)).name == name


def test_urls_are_replaced_by_distinct_file_names() -> None:
    code = 'a = read("https://h.example/1/d.csv"); b = read("https://h.example/2/d.csv")'
    got = [Download(url, "d.csv", b"") for url in find_urls(code)]
    files: Sequence[Download] = downloads.assign_unique_names(got, taken=["d.csv"])
    assert [file.name for file in files] == ["2-d.csv", "3-d.csv"]
    assert downloads.replace_urls(code, files) == 'a = read("2-d.csv"); b = read("3-d.csv")'
    longer = 'read("https://h.example/1/d.csv.gz")'
    assert downloads.replace_urls(longer, files) == longer
