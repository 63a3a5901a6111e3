from __future__ import annotations

from pathlib import Path

import pytest

from starchat_tui.terminal.clipboard import (
    OSC52_LIMIT,
    TERMINAL_ROUTE,
    Route,
    copy_text,
    describe_copy,
    find_routes,
)


def has(*names: str) -> dict[str, str]:
    return dict.fromkeys(names, "/bin/x")


@pytest.mark.parametrize(
    ("environ", "programs", "expected"),
    [
        ({}, (), ["OSC 52"]),
        ({"DISPLAY": ":0"}, ("xclip", "wl-copy"), ["xclip", "OSC 52"]),
        (
            {"DISPLAY": ":0", "WAYLAND_DISPLAY": "w"},
            ("xclip", "wl-copy"),
            ["wl-copy", "xclip", "OSC 52"],
        ),
        ({"SSH_TTY": "/dev/pts/1", "DISPLAY": ":10"}, ("xclip",), ["OSC 52"]),
        ({"SSH_CONNECTION": "x", "TMUX": "s"}, ("xclip", "tmux"), ["tmux", "OSC 52"]),
        ({}, ("pbcopy",), ["pbcopy", "OSC 52"]),
    ],
)
def test_routes_depend_on_the_environment(
    environ: dict[str, str], programs: tuple[str, ...], expected: list[str]
) -> None:
    assert [route.name for route in find_routes(environ, has(*programs).get)] == expected


async def test_the_first_program_that_takes_the_text_is_returned(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    ways = [
        Route("absent", ("/no/such/program",)),
        Route("failing", ("false",)),
        Route("good", ("tee", str(taken))),
        TERMINAL_ROUTE,
    ]
    wrote: list[str] = []
    assert await copy_text("text\n\u202e", ways, wrote.append) == ways[2]
    assert taken.read_text(encoding="utf-8") == "text\n\u202e"
    assert wrote == []
    assert await copy_text("x", ways[:2] + ways[3:], wrote.append) == TERMINAL_ROUTE
    assert wrote == ["x"]


async def test_a_program_that_hangs_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("starchat_tui.terminal.clipboard.TIMEOUT", 0.1)
    wrote: list[str] = []
    assert (
        await copy_text("x", [Route("hung", ("sleep", "60")), TERMINAL_ROUTE], wrote.append)
        == TERMINAL_ROUTE
    )


def test_the_notice_claims_no_more_than_is_known() -> None:
    assert describe_copy("code block 1", "a\nb", Route("xclip", ("xclip",))) == (
        "Copied code block 1 (2 lines) with xclip"
    )
    sent = describe_copy("code block 1", "a", TERMINAL_ROUTE)
    assert sent.startswith("Sent code block 1 (1 line)")
    assert "/save" in sent
    assert "larger than many terminals accept" in describe_copy(
        "it", "a" * (OSC52_LIMIT + 1), TERMINAL_ROUTE
    )
    assert "U+202E" in describe_copy("it", "a\u202eb", TERMINAL_ROUTE)
