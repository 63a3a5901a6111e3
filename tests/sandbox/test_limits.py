"""Limits of a single process, tried in one."""

from __future__ import annotations

import json
import resource
import subprocess
import sys

import pytest

from starchat_tui.config.byte_units import MIB
from starchat_tui.sandbox.limits import Limits

CODE = """
import json, resource, sys
for name, value in json.loads(sys.argv[1]).items():
    resource.setrlimit(getattr(resource, name), (value, value))
found = {}
def attempt(name, act):
    try: act()
    except (MemoryError, OSError) as error: found[name] = type(error).__name__
attempt("memory", lambda: bytearray(400 * 2**20))
attempt("small", lambda: bytearray(10 * 2**20))
attempt("files", lambda: [open("/dev/null") for _ in range(60)])
print(json.dumps(found))
"""


def test_every_name_is_one_of_the_resource_module() -> None:
    rlimits = Limits().process_rlimits()
    assert set(rlimits) == {name for name in rlimits if hasattr(resource, name)}
    assert rlimits["RLIMIT_CORE"] == 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="RLIMIT_DATA as Linux has it")
def test_a_process_under_the_limits_meets_them() -> None:
    limits = Limits(memory=200 * MIB, open_files=40, processes=4096).process_rlimits()
    ran = subprocess.run(
        [sys.executable, "-I", "-S", "-c", CODE, json.dumps(dict(limits))],
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(ran.stdout)
    assert found["memory"] == "MemoryError"
    assert found["files"] == "OSError"
    assert "small" not in found
