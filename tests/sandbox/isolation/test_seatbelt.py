"""Profile of Apple's sandbox as text; nothing here has run on a Mac."""

from __future__ import annotations

import re

from starchat_tui.sandbox.isolation import seatbelt

SEEN = ("/opt/python", '/home/me/a "quoted" \\ folder')
CHANGED = ("/tmp/cell",)


def text() -> str:
    return seatbelt.build_profile(readable=SEEN, writable=CHANGED)


def test_everything_that_is_not_named_is_denied() -> None:
    lines = text().splitlines()
    assert lines[:2] == ["(version 1)", "(deny default)"]
    for word in ("network", "mach", "iokit", "ipc-posix", "process-info", "job-creation"):
        assert word not in text()


def test_only_the_folders_of_the_code_can_be_changed() -> None:
    writing = [line for line in text().splitlines() if "file-write*" in line]
    assert writing == ['(allow file-read* file-write* process-exec (subpath "/tmp/cell"))']
    assert '(deny file-link file-mknod (subpath "/tmp/cell"))' in text()


def test_a_quote_in_a_name_is_escaped() -> None:
    assert '(subpath "/home/me/a \\"quoted\\" \\\\ folder")' in text()


def test_the_parentheses_match() -> None:
    bare = re.sub(r'"(?:\\.|[^"\\])*"', '""', text())
    assert bare.count("(") == bare.count(")")


def test_the_command_follows_the_profile() -> None:
    argv = seatbelt.build_argv(["python", "-I"], readable=SEEN, writable=CHANGED)
    assert argv[:2] == ["/usr/bin/sandbox-exec", "-p"]
    assert argv[2] == text()
    assert argv[3:] == ["python", "-I"]
