"""Code in a session: the standing permission and prewarming."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from starchat_tui.sandbox.isolation.probe import Capability
from tests.chat.conversations import MakeSession, ask_once
from tests.scripted import ScriptedEngine, ScriptedKernelFactory
from tests.waiting import wait_until


async def test_plotting_prewarms_the_kernel(
    make_session: MakeSession, engine: ScriptedEngine, factory: ScriptedKernelFactory
) -> None:
    session = make_session()
    await ask_once(session, engine, "```python\nprint(1)\n```")
    assert not factory.kernels
    session.start_conversation()
    engine.enqueue("```python\nimport matpl", "otlib.pyplot\n```")
    async with aclosing(session.ask("go")) as events:
        async for _ in events:
            pass
    await wait_until(lambda: factory.kernels and factory.kernel.alive)
    await session.aclose()


async def test_never_prevents_prewarming(
    make_session: MakeSession, engine: ScriptedEngine, factory: ScriptedKernelFactory
) -> None:
    session = make_session()
    await ask_once(session, engine, "hello")
    session.permission = "never"
    await ask_once(session, engine)
    await asyncio.sleep(0.05)
    assert not factory.kernels


async def test_permission_is_stored_with_the_conversation(
    make_session: MakeSession, engine: ScriptedEngine, factory: ScriptedKernelFactory
) -> None:
    session = make_session()
    await ask_once(session, engine)
    assert session.kernel_manager is not None
    await session.kernel_manager.probe_sandbox()
    assert session.permission == "ask"
    session.permission = "always"
    first = session.conversation
    session.start_conversation()
    assert session.permission == "ask"
    again = make_session()
    again.resume(first)
    assert again.permission == "ask", "not before the sandbox level is known"
    assert again.kernel_manager is not None
    await again.kernel_manager.probe_sandbox()
    assert again.permission == "always"


async def test_permission_does_not_cover_a_weaker_sandbox(
    make_session: MakeSession, engine: ScriptedEngine, factory: ScriptedKernelFactory
) -> None:
    session = make_session()
    await ask_once(session, engine)
    assert session.kernel_manager is not None
    await session.kernel_manager.probe_sandbox()
    session.permission = "always"
    factory.capability = Capability("restricted")
    again = make_session()
    again.resume("last")
    assert again.kernel_manager is not None
    await again.kernel_manager.probe_sandbox()
    assert again.permission == "ask"


async def test_permission_without_sandbox_is_not_stored(
    make_session: MakeSession, engine: ScriptedEngine, factory: ScriptedKernelFactory
) -> None:
    factory.capability, factory.unsafe = Capability("unsafe"), True
    session = make_session()
    await ask_once(session, engine)
    assert session.kernel_manager is not None
    await session.kernel_manager.probe_sandbox()
    session.permission = "always"
    assert session.permission == "always"
    again = make_session()
    again.resume("last")
    assert again.kernel_manager is not None
    await again.kernel_manager.probe_sandbox()
    assert again.permission == "ask"
