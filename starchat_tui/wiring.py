"""From settings to a session: which engine, which history, which voices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starchat_tui import models, prompts
from starchat_tui.history import History
from starchat_tui.session import Session
from starchat_tui.settings import Paths, Settings
from starchat_tui.voice import Engine, Voices
from starchat_tui.wire import Sampling

if TYPE_CHECKING:
    from starchat_tui.child import LocalEngine


def make_engine(settings: Settings, paths: Paths) -> Engine:
    """The server the user named, or the local engine, which is started with the first question."""
    if settings.url:
        from starchat_tui.client import EngineClient

        return EngineClient(settings.url, token=settings.token or None)
    return local_engine(settings, paths)


def local_engine(settings: Settings, paths: Paths) -> LocalEngine:
    """The engine of this user, as the settings have it."""
    from starchat_tui.child import LocalEngine

    return LocalEngine(
        paths,
        keep_alive=settings.keep_alive,
        device=settings.device,
        quantize=settings.quantize,
        daemon=settings.daemon,
    )


def make_session(settings: Settings, paths: Paths) -> Session:
    """A session as the settings have it."""
    engine = make_engine(settings, paths)
    return Session(
        History.open(paths.database) if settings.log else History.in_memory(),
        engine,
        Voices(settings, engine),
        sampling=make_sampling(settings),
        system=system_text(settings),
        stop=settings.stop,
    )


def system_text(settings: Settings) -> str:
    """The system text; `@NAME` stands for a prompt file, as in `-s @starchat`."""
    if settings.system.startswith("@"):
        return prompts.text_of(settings.system[1:]).strip()
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
    return not settings.url and models.resolve(settings.model).demo
