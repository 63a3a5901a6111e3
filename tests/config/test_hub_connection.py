"""One attempt decides whether the Hub is asked."""

from __future__ import annotations

import socket

import pytest

from starchat_tui.config.hub_connection import is_hub_unreachable


@pytest.fixture(autouse=True)
def online(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    for name in ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def test_a_name_that_does_not_resolve_is_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def refuse(*args: object, **_: object) -> list[object]:
        asked.append(args[0])
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr("socket.getaddrinfo", refuse)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "https://hub.invalid")
    assert is_hub_unreachable()
    assert asked == ["hub.invalid"]
    monkeypatch.setenv("https_proxy", "http://proxy.invalid:3128")
    assert not is_hub_unreachable()
    assert asked == ["hub.invalid"]


def test_a_port_that_answers_is_reachable_and_a_closed_one_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", url)
        assert not is_hub_unreachable()
    assert is_hub_unreachable()
