"""Consent to run code: the one decision that every front end asks the user for.

Pure values and functions. A front end calls `request_consent` with what it knows about some code;
None means that nothing has to be asked. Otherwise it shows the `ConsentRequest` in its own way and
turns the user's `ConsentAnswer` into a `Decision` with `decide`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from starchat_tui.errors import UsageError
from starchat_tui.sanitize import find_hidden_characters

if TYPE_CHECKING:
    from starchat_tui.sandbox.outputs import IsolationLevel

Permission = Literal["ask", "always", "never"]
"""Standing permission of a conversation: whether its code may run without asking."""

Choice = Literal["once", "always", "never", "cancel"]
"""Answer to a consent request; `cancel` runs nothing and changes no permission."""

_LISTED_CHARACTERS = 6
"""Invisible characters that the warning names."""


@dataclass(frozen=True, slots=True)
class ConsentRequest:
    """Everything the user has to agree to before some code runs."""

    code: str
    asks_for_code: bool
    """False if the code itself may run and only downloads need an answer."""
    hidden: tuple[str, ...] = ()
    """Unicode names (`U+202E`) of the characters in the code that a reader does not see."""
    urls: tuple[str, ...] = ()
    """Addresses in the code that need an answer before they are downloaded."""

    @property
    def hosts(self) -> tuple[str, ...]:
        """Hosts of `urls`, sorted."""
        return tuple(sorted({host_of(url) for url in self.urls}))

    @property
    def warning(self) -> str:
        """One sentence that names the invisible characters; empty if there are none."""
        if not self.hidden:
            return ""
        listed = ", ".join(self.hidden[:_LISTED_CHARACTERS])
        more = len(self.hidden) - _LISTED_CHARACTERS
        return f"The code contains invisible characters: {listed}" + (
            f" and {more} more" if more > 0 else ""
        )


@dataclass(frozen=True, slots=True)
class ConsentAnswer:
    """The user's answer to a `ConsentRequest`."""

    choice: Choice
    downloads: tuple[str, ...] = ()
    """The addresses of the request that may be downloaded for this run."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Consequence of an answer."""

    run: bool
    permission: Permission
    """Standing permission of the conversation from now on."""
    downloads: tuple[str, ...] = ()
    """Addresses to download before the run."""


def request_consent(
    code: str,
    permission: Permission,
    *,
    level: IsolationLevel | None = None,
    urls: Sequence[str] = (),
    explicit: bool = False,
) -> ConsentRequest | None:
    """Return what the user must be asked before `code` runs, or None if nothing.

    Args:
        code: The code as the kernel will get it.
        permission: Standing permission. Code that the user wrote counts as `always`.
        level: Sandbox level if known. At `off` nothing can run, so nothing is asked.
        urls: Addresses in the code that the user has not approved yet.
        explicit: Whether the user typed a command that reopens the question after a `never`.

    Raises:
        UsageError: The user chose `never`, and this is not an explicit command.
    """
    if permission == "never" and not explicit:
        raise UsageError(
            "Running code is off in this conversation, as you chose", "`/run n` asks again"
        )
    if level == "off":
        return None
    invisible = tuple(find_hidden_characters(code))
    # `always` was given to code that could be read; what cannot be seen needs its own yes.
    asks_for_code = permission != "always" or bool(invisible)
    if not asks_for_code and not urls:
        return None
    return ConsentRequest(code, asks_for_code, invisible, tuple(urls))


def decide(
    request: ConsentRequest | None, answer: ConsentAnswer | None, permission: Permission
) -> Decision:
    """Return the consequence of `answer`; no request is a yes, no answer to one is a `cancel`.

    Only addresses of the request are downloaded, whatever the answer names.
    """
    if request is None:
        return Decision(run=True, permission=permission)
    if answer is None or answer.choice == "cancel":
        return Decision(run=False, permission=permission)
    if answer.choice == "never":
        return Decision(run=False, permission="never")
    downloads = tuple(url for url in request.urls if url in answer.downloads)
    if answer.choice == "always":
        return Decision(run=True, permission="always", downloads=downloads)
    # A single yes takes back an earlier `never`, and leaves an `always` as it is.
    after: Permission = "ask" if permission == "never" else permission
    return Decision(run=True, permission=after, downloads=downloads)


def host_of(url: str) -> str:
    """Return the host of `url`, or `?` if it has none."""
    return urlsplit(url).hostname or "?"


def split_by_host(
    urls: Iterable[str], approved_hosts: Iterable[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the addresses on approved hosts, and the others."""
    hosts, approved, others = frozenset(approved_hosts), list[str](), list[str]()
    for url in urls:
        (approved if host_of(url) in hosts else others).append(url)
    return tuple(approved), tuple(others)


def stored_permission(permission: Permission, level: IsolationLevel | None) -> str:
    """Return the database's spelling: `always` is tied to the sandbox level it was given at."""
    return {"ask": "", "never": "never", "always": f"always {level}"}[permission]


def parse_permission(stored: str, level: IsolationLevel | None) -> Permission:
    """Return the permission that `stored` means at `level`.

    An `always` given in one sandbox does not count in a weaker one, nor before the level is known.
    """
    if stored == "never":
        return "never"
    return "always" if level and stored == stored_permission("always", level) else "ask"
