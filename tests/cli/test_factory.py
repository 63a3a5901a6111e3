"""Parts of a session as the settings ask for them."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from starchat_tui.chat.store import ConversationStore
from starchat_tui.cli import arguments
from starchat_tui.cli.factory import (
    create_engine,
    create_kernel_manager,
    create_local_engine,
    create_sampling,
    create_session,
    is_demo_model,
    read_system_text,
    resume_conversation,
)
from starchat_tui.cli.invocation import Invocation
from starchat_tui.client.http_client import EngineClient
from starchat_tui.client.local_engine import LocalEngine
from starchat_tui.client.protocol import Sampling
from starchat_tui.config.paths import find_paths
from starchat_tui.config.settings import Settings
from starchat_tui.errors import ConfigError
from starchat_tui.sandbox.outputs import RunEnded
from tests.chat.conversations import store_conversation

Invoke = Callable[..., Invocation]


@pytest.fixture
def invoke() -> Invoke:
    def parse(*argv: str) -> Invocation:
        return Invocation.from_flags(arguments.parse_arguments(argv))

    return parse


def test_url_selects_the_client() -> None:
    paths = find_paths(os.environ)
    remote = create_engine(Settings(url="http://host:1/v1"), paths)
    assert isinstance(remote, EngineClient)
    assert remote.url == "http://host:1"
    assert isinstance(create_engine(Settings(), paths), LocalEngine)


def test_private_engine_has_a_socket_of_its_own() -> None:
    paths = find_paths(os.environ)
    assert create_local_engine(Settings(), paths).socket == paths.socket
    assert create_local_engine(Settings(daemon=False), paths).socket != paths.socket


def test_sampling_takes_the_settings() -> None:
    settings = Settings(temperature=0.5, top_p=0.9, top_k=3, max_tokens=7, seed=5)
    assert create_sampling(settings) == Sampling(7, 0.5, 0.9, 3, settings.repetition_penalty, 5)


def test_system_prompt_from_a_file() -> None:
    assert read_system_text(Settings(system="be kind")) == "be kind"
    assert read_system_text(Settings(system="@starchat")).strip()
    with pytest.raises(ConfigError):
        read_system_text(Settings(system="@no-such-prompt"))


async def test_no_log_leaves_no_database() -> None:
    paths = find_paths(os.environ)
    create_session(Settings(log=False), paths)
    assert not paths.database.exists()
    create_session(Settings(), paths)
    assert paths.database.exists()


async def test_flags_win_over_the_resumed_conversation(invoke: Invoke) -> None:
    store = ConversationStore.open(find_paths(os.environ).database)
    store_conversation(store, ("q", "done"), ("a", "done"), system="stored")
    plain, changed = invoke("-c"), invoke("-c", "--mode", "ta", "-s", "given")
    session = create_session(plain.settings, plain.paths)
    resume_conversation(session, plain)
    assert (session.mode, session.system, len(session.turns)) == ("chat", "stored", 2)
    session = create_session(changed.settings, changed.paths)
    resume_conversation(session, changed)
    assert (session.mode, session.system, len(session.turns)) == ("ta", "given", 2)


async def test_nothing_is_resumed_without_a_flag(invoke: Invoke) -> None:
    store_conversation(ConversationStore.open(find_paths(os.environ).database), ("q", "done"))
    invocation = invoke()
    session = create_session(invocation.settings, invocation.paths)
    resume_conversation(session, invocation)
    assert (session.conversation, session.turns) == ("", ())


async def test_sandbox_off_runs_nothing(invoke: Invoke) -> None:
    manager = create_kernel_manager(invoke("--sandbox", "off"))
    assert (await manager.probe_sandbox()).level == "off"
    (ended,) = [output async for output in manager.run("print(1)")]
    assert isinstance(ended, RunEnded)
    assert ended.status == "no-sandbox"
    await manager.aclose()


async def test_unsafe_flag_needs_no_probe(invoke: Invoke) -> None:
    manager = create_kernel_manager(invoke("--sandbox", "off", "--unsafe-run"))
    assert manager.unsafe
    assert (await manager.probe_sandbox()).level == "unsafe"
    await manager.aclose()


def test_addresses_in_code_are_found(invoke: Invoke) -> None:
    manager = create_kernel_manager(invoke())
    code = "pd.read_csv('https://data.example/a.csv')"
    assert list(manager.find_urls(code)) == ["https://data.example/a.csv"]


def test_demo_model() -> None:
    assert is_demo_model(Settings())
    assert not is_demo_model(Settings(model="starcoder"))
    assert not is_demo_model(Settings(url="http://host:1"))


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ((), "current"),
        (("-m", "starchat-beta"), "2023"),
        (("-m", "bigcode/starcoder"), "2023"),
        (("-m", "starchat-beta", "--env", "current"), "current"),
        (("--url", "http://host:1", "-m", "some-model"), "current"),
    ],
)
def test_the_environment_is_the_users_or_that_of_the_model(
    invoke: Invoke, flags: tuple[str, ...], expected: str
) -> None:
    invocation = invoke(*flags)
    assert create_kernel_manager(invocation).environment == expected


async def test_a_conversation_goes_on_in_its_environment(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ConversationStore.open(find_paths(os.environ).database)
    store_conversation(store, ("q", "done"), ("a", "done"))
    first = invoke("-c")
    session = create_session(first.settings, first.paths, create_kernel_manager(first))
    resume_conversation(session, first)
    session.select_environment("2023")
    for flags, expected in (((), "2023"), (("--env", "current"), "current")):
        again = invoke("-c", *flags)
        session = create_session(again.settings, again.paths, create_kernel_manager(again))
        resume_conversation(session, again)
        assert session.environment == expected
    session.start_conversation()
    assert session.environment == "current"
