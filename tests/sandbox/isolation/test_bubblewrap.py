"""Command line of bubblewrap: exactly the one that was attacked, with nothing of the user in it."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from starchat_tui.sandbox.environments.interpreter import Interpreter
from starchat_tui.sandbox.isolation import bubblewrap, drop_privileges
from starchat_tui.sandbox.isolation.bubblewrap import (
    BWRAP,
    BwrapFds,
    SandboxSpec,
    find_bwrap,
    is_world_accessible,
)
from starchat_tui.sandbox.limits import Limits

FDS = BwrapFds(arguments=9, status=10, filter=11, private_folders=12, attached=(("data.csv", 13),))
GOLDEN = """\
--unshare-all --unshare-user --disable-userns
--uid 1000 --gid 1000 --cap-drop ALL
--die-with-parent --new-session --clearenv --hostname sandbox
--ro-bind /usr /usr
--symlink usr/bin /bin
--ro-bind /etc/localtime /etc/localtime
--dir /proc --dev /dev --dev-bind /dev/full /dev/zero
--tmpfs /dev/pts --remount-ro /dev/pts
--size 268435456 --tmpfs /tmp
--size 67108864 --tmpfs /dev/shm
--size 67108864 --tmpfs /home
--size 268435456 --tmpfs /cell
--chdir /cell
--ro-bind /home/me/venv /home/me/venv
--ro-bind /srv/guest /run/guest
--perms 0444 --ro-bind-data 13 /cell/data.csv
--setenv PATH /home/me/venv/bin:/usr/local/bin:/usr/bin:/bin
--setenv HOME /home
--setenv USER user
--setenv LANG C.UTF-8
--setenv TERM dumb
--setenv TMPDIR /tmp
--setenv MPLBACKEND agg
--setenv MPLCONFIGDIR /tmp/matplotlib
--setenv IPYTHONDIR /tmp/ipython
--setenv OMP_NUM_THREADS 1
--setenv OPENBLAS_NUM_THREADS 1
--setenv MKL_NUM_THREADS 1
--setenv PYTHONDONTWRITEBYTECODE 1
--setenv PIP_NO_INDEX 1 --setenv PIP_RETRIES 0 --setenv PIP_DISABLE_PIP_VERSION_CHECK 1
--setenv UV_OFFLINE 1 --setenv CONDA_OFFLINE true
--json-status-fd 10 --seccomp 11
--remount-ro /dev --remount-ro /
"""
"""Each word matters to security: the attacks are tried against exactly this command line."""


@pytest.fixture
def spec(monkeypatch: pytest.MonkeyPatch) -> SandboxSpec:
    monkeypatch.setattr(bubblewrap, "_system_link_flags", lambda: ["--symlink", "usr/bin", "/bin"])
    monkeypatch.setattr(bubblewrap, "_SYSTEM_PATHS", ("/etc/localtime", "/etc/missing"))
    monkeypatch.setattr(os.path, "exists", lambda path: path == "/etc/localtime")
    return SandboxSpec(
        "isolated",
        mounts=((Path("/srv/guest"), "/run/guest"),),
        attached=(Path("/home/me/data.csv"),),
        interpreter=Interpreter(Path("/home/me/venv/bin/python"), (Path("/home/me/venv"),)),
    )


def test_the_flags_are_the_ones_that_were_attacked(spec: SandboxSpec) -> None:
    assert spec.build_bwrap_flags(FDS) == GOLDEN.split()


def test_the_flags_contain_the_limits(spec: SandboxSpec) -> None:
    small = SandboxSpec("isolated", limits=Limits(folder=1, temporary=2, shared=3))
    flags = " ".join(small.build_bwrap_flags(FDS))
    assert "--size 1 --tmpfs /cell" in flags
    assert "--size 2 --tmpfs /tmp" in flags
    assert "--size 3 --tmpfs /dev/shm --size 3 --tmpfs /home" in flags


def test_the_command_line_shows_no_host_path(spec: SandboxSpec) -> None:
    command = ["/home/me/venv/bin/python", "-I", "/run/guest/runner.py"]
    assert spec.build_argv(command, FDS) == ["/usr/bin/bwrap", "--args", "9", "--", *command]


def test_root_switches_to_nobody_first(spec: SandboxSpec) -> None:
    # With our own interpreter, not that of the environment: this step is outside the sandbox.
    rooted = replace(spec, drop_to_nobody=True)
    assert rooted.build_argv(["true"], FDS) == [
        *(sys.executable, "-I", "-S", drop_privileges.__file__, "12"),
        *("/usr/bin/bwrap", "--args", "9", "--", "true"),
    ]


def test_private_folders_are_listed_with_what_nobody_needs(empty_home: Path) -> None:
    empty_home.chmod(0o755)
    closed = empty_home / "closed"
    prefix = closed / "deep" / "python"
    prefix.mkdir(parents=True)
    closed.chmod(0o700)
    assert not is_world_accessible(prefix)
    python = Interpreter(prefix / "bin" / "python", (prefix,))
    rooted = SandboxSpec("isolated", drop_to_nobody=True, interpreter=python)
    assert rooted.find_private_folders() == {str(closed): [str(prefix)]}
    # A mount below the prefix needs no entry of its own.
    within = SandboxSpec(
        "isolated", drop_to_nobody=True, interpreter=python, mounts=((prefix / "x", "/x"),)
    )
    assert within.find_private_folders() == {str(closed): [str(prefix)]}
    closed.chmod(0o755)
    assert rooted.find_private_folders() == {}


def test_the_last_flags_make_unsized_folders_read_only(spec: SandboxSpec) -> None:
    assert spec.build_bwrap_flags(FDS)[-4:] == ["--remount-ro", "/dev", "--remount-ro", "/"]


def test_bubblewrap_is_never_looked_up_in_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in (tmp_path, tmp_path / "bin"):
        folder.mkdir(exist_ok=True)
        program = folder / "bwrap"
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f".:{tmp_path}/bin")
    assert BWRAP[0] == Path("/usr/bin/bwrap")
    assert all(path.is_absolute() for path in BWRAP)
    assert find_bwrap() in (None, *BWRAP)
    assert find_bwrap((tmp_path / "none", tmp_path / "bwrap")) == tmp_path / "bwrap"


def test_a_bubblewrap_that_is_not_executable_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "bwrap").write_text("not a program")
    assert find_bwrap((tmp_path / "bwrap",)) is None


def test_without_namespaces_paths_stay_the_same() -> None:
    mounts = ((Path("/srv/guest"), "/run/guest"),)
    assert SandboxSpec("isolated", mounts=mounts).resolve_path("/run/guest") == "/run/guest"
    assert SandboxSpec("restricted", mounts=mounts).resolve_path("/run/guest") == "/srv/guest"


def test_nothing_of_the_hosts_environment_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    environment = SandboxSpec("isolated").build_environment()
    assert "secret" not in str(environment)
    assert environment["HOME"] == "/home"
    assert SandboxSpec("restricted").build_environment("/tmp/x")["HOME"] == "/tmp/x/home"


def test_the_process_limit_allows_for_processes_of_the_user() -> None:
    limits = Limits(processes=10)
    assert SandboxSpec("isolated", limits=limits).build_rlimits()["RLIMIT_NPROC"] == 10
    assert (
        SandboxSpec("restricted", drop_to_nobody=True, limits=limits).build_rlimits()[
            "RLIMIT_NPROC"
        ]
        == 10
    )
    # At least this process and its first thread.
    assert SandboxSpec("restricted", limits=limits).build_rlimits()["RLIMIT_NPROC"] > 10
    assert SandboxSpec("restricted", limits=limits).build_rlimits()["RLIMIT_CORE"] == 0
