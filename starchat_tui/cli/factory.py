"""From settings to a session: which engine, which history, which voices."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from starchat_tui.chat.session import Session
from starchat_tui.chat.store import History
from starchat_tui.client.protocol import Sampling
from starchat_tui.models import registry
from starchat_tui.models.resolver import Engine, Voices
from starchat_tui.settings import Paths, Settings, byte_count
from starchat_tui.templates import prompt_files

if TYPE_CHECKING:
    from starchat_tui.client.local_engine import LocalEngine
    from starchat_tui.execution.kernel_manager import Kernel, Running
    from starchat_tui.sandbox.host.downloads import Download
    from starchat_tui.sandbox.isolation.probe import Verdict


def make_engine(settings: Settings, paths: Paths) -> Engine:
    """The server the user named, or the local engine, which is started with the first question."""
    if settings.url:
        from starchat_tui.client.http_client import EngineClient

        return EngineClient(settings.url, token=settings.token or None)
    return local_engine(settings, paths)


def local_engine(settings: Settings, paths: Paths) -> LocalEngine:
    """The engine of this user, as the settings have it."""
    from starchat_tui.client.local_engine import LocalEngine

    return LocalEngine(
        paths,
        keep_alive=settings.keep_alive,
        device=settings.device,
        quantize=settings.quantize,
        daemon=settings.daemon,
    )


def make_session(settings: Settings, paths: Paths, running: Running | None = None) -> Session:
    """A session as the settings have it; without `running` it runs no code."""
    engine = make_engine(settings, paths)
    return Session(
        History.open(paths.database) if settings.log else History.in_memory(),
        engine,
        Voices(settings, engine),
        sampling=make_sampling(settings),
        system=system_text(settings),
        stop=settings.stop,
        running=running,
    )


def make_running(settings: Settings, *, unsafe: bool = False) -> Running:
    """What runs code, behind the wall that the settings ask for; `unsafe` is behind none."""
    from starchat_tui.execution.kernel_manager import Running, Workshop

    def probe() -> Verdict:
        from starchat_tui.sandbox.isolation import probe as preflight

        if unsafe:
            return preflight.Verdict("unsafe", "`--unsafe-run` was given", ())
        if settings.sandbox == "off":
            return preflight.Verdict("off", "`--sandbox off` was given", ())
        return preflight.probe(settings.sandbox)

    def make(verdict: Verdict, attached: Sequence[Path]) -> Kernel:
        from starchat_tui.sandbox.host.kernel import Kernel
        from starchat_tui.sandbox.limits import Limits

        limits = Limits(timeout=settings.run_timeout, memory=byte_count(settings.run_memory))
        return Kernel(verdict, limits=limits, attached=attached, strict=settings.strict)

    def hosts(code: str) -> Sequence[str]:
        from starchat_tui.sandbox.host import downloads

        return downloads.urls(code)

    async def fetched(url: str) -> Download:
        from starchat_tui.sandbox.host import downloads

        return await downloads.fetch(url)

    return Running(Workshop(probe, make, hosts, fetched, unsafe=unsafe))


def system_text(settings: Settings) -> str:
    """The system text; `@NAME` stands for a prompt file, as in `-s @starchat`."""
    if settings.system.startswith("@"):
        return prompt_files.text_of(settings.system[1:]).strip()
    return settings.system


def make_sampling(settings: Settings) -> Sampling:
    """How the next token is drawn."""
    return Sampling(
        max_tokens=settings.max_tokens,
        temperature=settings.temperature,
        top_p=settings.top_p,
        top_k=settings.top_k,
        repetition_penalty=settings.repetition_penalty,
        seed=settings.seed,
    )


def is_demo(settings: Settings) -> bool:
    """Whether the demo model answers."""
    return not settings.url and registry.resolve(settings.model).demo
