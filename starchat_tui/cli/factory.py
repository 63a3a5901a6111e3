"""Construction of a session and its parts from the settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from starchat_tui.chat.session import Session
from starchat_tui.chat.store import ConversationStore
from starchat_tui.client.protocol import Sampling
from starchat_tui.config.extras import require_extra
from starchat_tui.config.paths import Paths
from starchat_tui.config.settings import Settings, parse_memory_size
from starchat_tui.models import registry
from starchat_tui.models.environments import find_model_environment
from starchat_tui.models.resolver import Engine, ModelResolver
from starchat_tui.templates import prompt_files

if TYPE_CHECKING:
    from starchat_tui.cli.invocation import Invocation
    from starchat_tui.client.local_engine import LocalEngine
    from starchat_tui.execution.kernel_factory import Kernel
    from starchat_tui.execution.kernel_manager import KernelManager
    from starchat_tui.sandbox.environments.interpreter import Interpreter
    from starchat_tui.sandbox.environments.store import EnvironmentStore
    from starchat_tui.sandbox.host.downloads import Download
    from starchat_tui.sandbox.isolation.probe import Capability


def create_engine(settings: Settings, paths: Paths) -> Engine:
    """Create the client of the `--url` server, or of the local engine (started on demand)."""
    if settings.url:
        from starchat_tui.client.http_client import EngineClient

        return EngineClient(settings.url, token=settings.token or None)
    return create_local_engine(settings, paths)


def create_local_engine(settings: Settings, paths: Paths) -> LocalEngine:
    """Create the client of this user's engine process."""
    from starchat_tui.client.local_engine import LocalEngine

    return LocalEngine(
        paths,
        keep_alive=settings.keep_alive,
        device=settings.device,
        quantize=settings.quantize,
        daemon=settings.daemon,
    )


def create_session(
    settings: Settings, paths: Paths, kernel_manager: KernelManager | None = None
) -> Session:
    """Create a session; without a kernel manager it runs no code."""
    engine = create_engine(settings, paths)
    return Session(
        ConversationStore.open(paths.database) if settings.log else ConversationStore.in_memory(),
        engine,
        ModelResolver(settings, engine),
        sampling=create_sampling(settings),
        system=read_system_text(settings),
        stop=settings.stop,
        kernel_manager=kernel_manager,
    )


def create_kernel_manager(
    invocation: Invocation, *, script: Sequence[str] = (), stdin: int = -1
) -> KernelManager:
    """Create the manager of the kernel that runs code in the sandbox of the settings.

    `script` is the `sys.argv` of a script, empty for cells, and `stdin` the descriptor of its
    standard input. Nothing is probed or started before the first run.
    """
    settings, unsafe = invocation.settings, invocation.flags.unsafe_run
    from starchat_tui.execution.kernel_factory import KernelFactory
    from starchat_tui.execution.kernel_manager import KernelManager

    def probe() -> Capability:
        from starchat_tui.sandbox.isolation.probe import Capability, probe_sandbox

        if unsafe:
            return Capability("unsafe", "`--unsafe-run` was given", ())
        if settings.sandbox == "off":
            return Capability("off", "`--sandbox off` was given", ())
        return probe_sandbox(settings.sandbox)

    def create_kernel(
        capability: Capability, attached: Sequence[Path], interpreter: Interpreter | None
    ) -> Kernel:
        require_extra("plots")
        from starchat_tui.sandbox.host.kernel import SandboxKernel
        from starchat_tui.sandbox.limits import Limits

        limits = Limits(timeout=settings.run_timeout, memory=parse_memory_size(settings.run_memory))
        return SandboxKernel(
            capability,
            limits=limits,
            attached=attached,
            strict=settings.strict,
            script=script,
            interpreter=interpreter,
            stdin=stdin,
        )

    def find_urls(code: str) -> Sequence[str]:
        from starchat_tui.sandbox.host import downloads

        return downloads.find_urls(code)

    async def fetch(url: str) -> Download:
        from starchat_tui.sandbox.host import downloads

        return await downloads.fetch(url)

    factory = KernelFactory(
        probe,
        create_kernel,
        find_urls,
        fetch,
        unsafe=unsafe,
        environments=create_environment_store(invocation.paths, invocation.environ),
    )
    return KernelManager(factory, choose_environment(settings))


def create_environment_store(paths: Paths, environ: Mapping[str, str]) -> EnvironmentStore:
    """Create the store of the environments that run code."""
    from starchat_tui.sandbox.environments.store import EnvironmentStore

    return EnvironmentStore(paths.environments, environ)


def choose_environment(settings: Settings) -> str:
    """Return the environment of the settings, or the one of their model."""
    if settings.env != "auto":
        return settings.env
    return find_model_environment(settings.model)


def resume_conversation(session: Session, invocation: Invocation) -> None:
    """Continue the conversation of `--continue` or `--cid`, if one was given.

    `--mode`, `--env` and `--system` of this command line win over what is stored.
    """
    flags = invocation.flags
    if not flags.resume:
        return
    if flags.model:
        session.pin_model()
    session.resume(flags.resume)
    if flags.mode and flags.mode != session.mode:
        session.switch_mode(flags.mode)
    if flags.env:
        session.select_environment(invocation.settings.env)
    if flags.system:
        session.system = read_system_text(invocation.settings)


def read_system_text(settings: Settings) -> str:
    """Return the system prompt; `@NAME` stands for a prompt file, as in `-s @starchat`."""
    if settings.system.startswith("@"):
        return prompt_files.read_prompt_text(settings.system[1:]).strip()
    return settings.system


def create_sampling(settings: Settings) -> Sampling:
    """Return the sampling parameters of the settings."""
    return Sampling(
        max_tokens=settings.max_tokens,
        temperature=settings.temperature,
        top_p=settings.top_p,
        top_k=settings.top_k,
        repetition_penalty=settings.repetition_penalty,
        seed=settings.seed,
    )


def is_demo_model(settings: Settings) -> bool:
    """Return whether the demo model answers."""
    return not settings.url and registry.find_model(settings.model).demo
