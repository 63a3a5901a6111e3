"""Files that code wants from the network, fetched here and given to it: it has no network itself.

Only what the user agreed to, by https, from the host that was named: the name is resolved once, a
private or link-local address is refused, and the connection goes to the very address that was
looked at. A redirect may change the path, never the host. At most 20 MB, within 20 s.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from starchat_tui.errors import StarChatError

MOST_BYTES = 20_000_000
PATIENCE = 20.0
"""Seconds that a download may take, all told."""
MOST_REDIRECTS = 5
_MOST_HEADER = 64 * 1024
_PORT = 443
_ADDRESS = re.compile(r"https?://[^\s\"'`<>\\]+")


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


def offline(code: str, downloads: Sequence[Download]) -> str:
    """`code` with each address replaced by the name of the file that holds it."""
    for download in sorted(downloads, key=lambda one: len(one.url), reverse=True):
        code = code.replace(download.url, download.name)
    return code
