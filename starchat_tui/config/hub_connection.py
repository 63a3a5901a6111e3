"""Connection to the Hugging Face Hub: one attempt decides whether its library may use the network.

The library retries each request five times, for up to 23 seconds, and logs every attempt.
"""

from __future__ import annotations

import logging
import socket
from urllib.parse import urlsplit
from urllib.request import getproxies

_CONNECT_TIMEOUT = 3.0
"""Seconds for one attempt to connect."""
_PORTS = {"http": 80, "https": 443}


def is_hub_unreachable() -> bool:
    """Return whether no connection to the Hub is possible; the cache can still be read."""
    from huggingface_hub import constants

    # The caller reports what failed, in one sentence.
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    url = urlsplit(constants.ENDPOINT)
    # Behind a proxy, names need not resolve here.
    if constants.HF_HUB_OFFLINE or getproxies().get(url.scheme) or not url.hostname:
        return False
    try:
        address = url.hostname, url.port or _PORTS.get(url.scheme, 443)
        socket.create_connection(address, timeout=_CONNECT_TIMEOUT).close()
    except (OSError, ValueError):
        return True
    return False
