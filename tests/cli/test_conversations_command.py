"""`starchat ls` and `rm` from outside."""

from __future__ import annotations

from tests.cli.shell import Shell, split_lines


def test_ls_finds_and_rm_deletes(shell: Shell) -> None:
    shell.ask("about quokkas")
    (line,) = split_lines(shell.run("ls", "quok").stdout)
    assert shell.run("rm", line.split()[0]).returncode == 0
    assert shell.run("ls", "quok").stdout == b""
