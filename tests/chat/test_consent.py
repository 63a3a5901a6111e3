"""Consent: questions before code runs, and the effect of each answer."""

from __future__ import annotations

import pytest

from starchat_tui.chat.consent import (
    Choice,
    ConsentAnswer,
    ConsentRequest,
    Permission,
    decide,
    parse_permission,
    request_consent,
    split_by_host,
    stored_permission,
)
from starchat_tui.errors import UsageError

CODE = "total = 1\n"
HIDDEN = "admin\u202e = 2\n"
URLS = ("https://data.example/a.csv", "https://other.example/b.csv")


def test_code_of_an_answer_needs_consent() -> None:
    assert request_consent(CODE, "ask") == ConsentRequest(CODE, asks_for_code=True)


def test_always_runs_readable_code_without_asking() -> None:
    assert request_consent(CODE, "always") is None


def test_always_does_not_cover_invisible_characters() -> None:
    request = request_consent(HIDDEN, "always")
    assert request is not None
    assert request.asks_for_code
    assert request.hidden == ("U+202E",)
    assert request.warning == "The code contains invisible characters: U+202E"


def test_always_does_not_cover_downloads() -> None:
    request = request_consent(CODE, "always", urls=URLS)
    assert request is not None
    assert not request.asks_for_code
    assert request.urls == URLS
    assert request.hosts == ("data.example", "other.example")


def test_never_refuses_unless_the_user_asks_again() -> None:
    with pytest.raises(UsageError, match="off in this conversation"):
        request_consent(CODE, "never")
    assert request_consent(CODE, "never", explicit=True) is not None


@pytest.mark.parametrize("code", [CODE, HIDDEN])
def test_nothing_is_asked_without_a_sandbox(code: str) -> None:
    assert request_consent(code, "ask", level="off", urls=URLS) is None
    assert request_consent(code, "ask", level="unsafe") is not None


def test_long_list_of_invisible_characters_is_shortened() -> None:
    code = "".join(chr(0x202A + offset) for offset in range(5)) + "\u2060\u2061\u2062"
    request = request_consent(code, "ask")
    assert request is not None
    assert request.warning.endswith(" and 2 more")


@pytest.mark.parametrize(
    ("before", "choice", "run", "after"),
    [
        ("ask", "once", True, "ask"),
        ("ask", "always", True, "always"),
        ("ask", "never", False, "never"),
        ("ask", "cancel", False, "ask"),
        ("always", "once", True, "always"),
        ("always", "never", False, "never"),
        ("always", "cancel", False, "always"),
        ("never", "once", True, "ask"),
        ("never", "always", True, "always"),
        ("never", "cancel", False, "never"),
    ],
)
def test_decision_of_each_choice(
    before: Permission, choice: Choice, run: bool, after: Permission
) -> None:
    request = ConsentRequest(CODE, asks_for_code=True)
    decision = decide(request, ConsentAnswer(choice), before)
    assert (decision.run, decision.permission, decision.downloads) == (run, after, ())


def test_no_request_runs_and_no_answer_does_not() -> None:
    assert decide(None, None, "always").run
    assert not decide(ConsentRequest(CODE, asks_for_code=True), None, "ask").run


def test_only_requested_addresses_are_downloaded() -> None:
    request = ConsentRequest(CODE, asks_for_code=True, urls=URLS)
    answer = ConsentAnswer("once", (URLS[1], "https://evil.example/x"))
    assert decide(request, answer, "ask").downloads == (URLS[1],)
    refused = ConsentAnswer("cancel", URLS)
    assert decide(request, refused, "ask").downloads == ()


def test_addresses_are_split_by_approved_hosts() -> None:
    assert split_by_host(URLS, ["data.example"]) == ((URLS[0],), (URLS[1],))
    # A host is compared whole: a longer name with the same end is another host.
    assert split_by_host(["https://evil-data.example/a"], ["data.example"])[0] == ()
    assert split_by_host(["not a url"], [""]) == ((), ("not a url",))


@pytest.mark.parametrize("permission", ["ask", "always", "never"])
def test_permission_survives_storage(permission: Permission) -> None:
    assert parse_permission(stored_permission(permission, "isolated"), "isolated") == permission


def test_always_counts_for_one_sandbox_level() -> None:
    stored = stored_permission("always", "isolated")
    assert parse_permission(stored, "restricted") == "ask"
    assert parse_permission(stored, "unsafe") == "ask"
    assert parse_permission(stored, None) == "ask"
    assert parse_permission("never", None) == "never"
