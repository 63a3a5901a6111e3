"""What works here, as `starchat doctor` says it: each trouble is made, and its remedy read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from starchat_tui.cli import doctor
from starchat_tui.cli.doctor import Finding
from starchat_tui.sandbox.isolation import probe, remedies
from starchat_tui.sandbox.isolation.probe import Verdict
from starchat_tui.settings import Settings, find_paths
from tests.sandbox.isolation.test_probe import MESSAGES, fake

GOOD = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}


def spoken(**streams: str) -> SimpleNamespace:
    """A stdout of that encoding, which is no terminal."""
    return SimpleNamespace(encoding="utf-8", isatty=lambda: False, **streams)


@pytest.fixture(autouse=True)
def utf8(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", spoken())


def starchat(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "starchat_tui", *words], capture_output=True, text=True, check=False
    )


@pytest.mark.slow
@pytest.mark.bwrap
def test_the_whole_of_it_on_this_machine() -> None:
    told = starchat("doctor", "--json")
    document = json.loads(told.stdout)
    about = [found["about"] for found in document["findings"]]
    assert {"versions", "sandbox", "terminal", "clipboard", "engine", "model"} <= set(about)
    assert {"tokenizer", "memory", "data", "device", "images"} <= set(about)
    assert told.returncode == (0 if document["ok"] else 1)
    assert document["ok"], document
    assert told.stderr == ""


@pytest.mark.slow
def test_one_screen_without_an_escape_and_a_trouble_is_an_exit_code(empty_home: Path) -> None:
    told = starchat("doctor", "--model", "nano-chatt")
    assert told.returncode == 1
    assert "To mend: model, tokenizer." in told.stdout
    assert "did you mean `nano-chat`?" in told.stdout
    assert "\x1b" not in told.stdout
    assert len(told.stdout.splitlines()) < 40
    assert max(len(line) for line in told.stdout.splitlines()) <= 140


@pytest.mark.parametrize(
    ("verdict", "state"),
    [
        (Verdict("isolated"), "ok"),
        (Verdict("isolated", "Root could not become nobody."), "note"),
        (Verdict("restricted", "bubblewrap is not installed.", ("apt install it",)), "mend"),
        (Verdict("off", "AppArmor blocks it.", ("one", "two", "three")), "mend"),
    ],
)
def test_the_wall_is_told_with_what_would_help(
    verdict: Verdict, state: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "bwrap"
    program.write_text("#!/bin/sh\necho bubblewrap 0.8.0\n")
    program.chmod(0o755)
    found_verdict = replace(verdict, bwrap=program)
    monkeypatch.setattr(probe, "probe", lambda _wanted: found_verdict)
    found = doctor.sandbox(Settings())
    assert found.state == state
    assert found.said.startswith(verdict.level)
    assert verdict.why in found.said
    assert found.fix == verdict.fix


@pytest.mark.parametrize(("message", "trouble"), MESSAGES.items(), ids=MESSAGES.values())
def test_each_refusal_of_bubblewrap_is_told_with_its_commands(
    message: str, trouble: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A program in bubblewrap's place says it; everything from there to the screen is real."""
    (tmp_path / "message").write_text(message)
    bwraps = fake(tmp_path, f'cat "{tmp_path}/message" >&2; exit 1')
    monkeypatch.setattr(probe, "probe", partial(probe.probe, bwraps=bwraps))
    found = doctor.sandbox(Settings(sandbox="isolated"))
    remedy = remedies.of_message(message)
    assert remedy.name == trouble
    assert found.state == "mend"
    assert found.fix == remedy.commands(remedies.host())
    shown = doctor.screen([found], color=False)
    assert "off: " in shown
    assert all(f"$ {command}\n" in shown for command in found.fix)
    assert shown.endswith("To mend: sandbox.")


def test_a_wall_that_is_wished_is_no_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    wished = []
    monkeypatch.setattr(probe, "probe", lambda wanted: wished.append(wanted) or Verdict("off"))
    assert doctor.sandbox(Settings(sandbox="off")).state == "note"
    assert wished == []
    assert doctor.sandbox(Settings(sandbox="restricted")).state == "mend"
    monkeypatch.setattr(probe, "probe", lambda _wanted: Verdict("restricted", "as wished"))
    assert doctor.sandbox(Settings(sandbox="restricted")).state == "note"
    assert wished == ["restricted"]


@pytest.mark.parametrize(
    ("environ", "state", "said"),
    [
        (GOOD, "ok", "16 million colours"),
        ({"TERM": "xterm-256color"}, "note", "256 colours"),
        ({"TERM": "dumb"}, "note", "line by line"),
        ({}, "note", "no TERM"),
    ],
)
def test_the_terminal_is_judged_by_what_it_says(
    environ: Mapping[str, str], state: str, said: str
) -> None:
    found = doctor.terminal(environ)
    assert found.state == state
    assert said in found.said


def test_a_terminal_without_utf8_is_to_be_mended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(encoding="ascii", isatty=lambda: False))
    found = doctor.terminal(GOOD)
    assert (found.state, found.fix) == ("mend", ("export LANG=C.UTF-8",))


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"TERM": "xterm-kitty"}, "kitty"),
        ({"TERM": "xterm-kitty", "TMUX": "/tmp/x"}, "half-blocks"),
        ({"TERM_PROGRAM": "WezTerm"}, "kitty"),
        ({"TERM": "foot"}, "sixels"),
        (GOOD, "half-blocks"),
    ],
)
def test_pictures_are_guessed_by_the_name_alone(environ: Mapping[str, str], said: str) -> None:
    assert said in doctor.images(Settings(), environ).said


def test_pictures_that_were_chosen_are_not_guessed() -> None:
    assert doctor.images(Settings(images="sixel"), GOOD).said.startswith("sixel")


def test_the_clipboard_is_told_with_what_would_help() -> None:
    found = doctor.copying({"DISPLAY": ":0", "PATH": ""})
    if found.state == "note":
        assert found.fix == ("sudo apt install xclip",)
    remote = doctor.copying({"DISPLAY": ":0", "SSH_TTY": "/dev/pts/1"})
    assert "OSC 52" in remote.said
    assert remote.fix == ()


def test_no_engine_is_started_to_ask_it() -> None:
    paths = find_paths(os.environ)
    found = doctor.engine(Settings(), paths)
    assert found.state == "ok"
    assert "none runs" in found.said
    assert not paths.engine_log.exists()
    assert "elsewhere" in doctor.engine(Settings(url="http://host:1"), paths).said


def test_a_model_that_is_not_there_is_said(tmp_path: Path) -> None:
    assert doctor.model(Settings()).state == "ok"
    assert "from the Hub" in doctor.model(Settings(model="starcoder")).said
    found = doctor._looked("model", lambda: doctor.model(Settings(model="nonsense")))
    assert found.state == "mend"


def test_the_tokenizer_is_tried(tmp_path: Path) -> None:
    assert doctor.tokenizer(Settings()).state == "ok"
    broken = tmp_path / "tokenizer.json"
    broken.write_text("{")
    found = doctor._looked("tokenizer", lambda: doctor.tokenizer(Settings(tokenizer=str(broken))))
    assert found.state == "mend"
    assert doctor.tokenizer(Settings(url="http://host:1")).state == "mend"
    assert doctor.tokenizer(Settings(model="starcoder")).state == "ok"


def test_conversations_that_others_may_read_are_said() -> None:
    paths = find_paths(os.environ)
    assert doctor.data(paths).state == "ok"
    paths.database.write_text("")
    paths.database.chmod(0o644)
    found = doctor.data(paths)
    assert (found.state, found.fix) == ("mend", (f"chmod 600 {paths.database}",))
    paths.database.chmod(0o600)
    paths.data.chmod(0o755)
    assert doctor.data(paths).fix == (f"chmod 700 {paths.data}",)


def test_memory_is_told_in_gigabytes() -> None:
    assert " GB" in doctor.memory().said


def test_torch_that_cannot_start_is_said_with_its_last_words() -> None:
    program = "import sys; print('first'); sys.exit('RuntimeError: no driver')"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as asked:
        found = doctor.device(asked)
    assert (found.state, found.said) == ("mend", "RuntimeError: no driver")


def test_torch_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_PATIENCE", 0.2)
    with subprocess.Popen(
        ["sleep", "600"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as asked:
        assert doctor.device(asked).state == "mend"
        asked.kill()


def test_a_missing_library_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor.versions().state == "ok"
    monkeypatch.setattr(doctor, "_LIBRARIES", ("textual", "not-there"))
    found = doctor.versions()
    assert found.state == "mend"
    assert found.fix[0].endswith("-m pip install not-there")


def test_the_screen_shows_commands_whole_and_no_escapes() -> None:
    command = "sudo " + "x" * 150
    findings = [
        Finding("sandbox", "mend", "it \x1b]0;title\x07 said " + "word " * 60, (command,)),
        Finding("memory", "ok", "fine", ("not shown",)),
    ]
    shown = doctor.screen(findings, color=False)
    assert f"$ {command}\n" in shown
    assert "\x1b" not in shown
    assert "not shown" not in shown
    assert shown.endswith("To mend: sandbox.")
    assert "\x1b[31mmend\x1b[0m" in doctor.screen(findings, color=True)
    assert doctor.screen(findings[1:], color=False).endswith("All is well.")
    assert not json.loads(doctor.as_json(findings))["ok"]
    assert json.loads(doctor.as_json(findings[1:]))["ok"]
