"""LocalEngine with real engine processes: one per user, restarts, the end of the log."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from contextlib import aclosing, suppress
from pathlib import Path

import pytest

from starchat_tui import __version__
from starchat_tui.client import silence
from starchat_tui.client.engine_launcher import _BOOTSTRAP
from starchat_tui.client.local_engine import LocalEngine, _make_absolute
from starchat_tui.client.protocol import Delta, ModelCard, Progress, Request, Sampling
from starchat_tui.config.paths import Paths, find_paths
from starchat_tui.errors import Busy, EngineGone, EngineSilent, ModelUnavailable, Unavailable
from tests.fakes import save_tiny_model
from tests.waiting import PATIENCE, block_until, wait_until

ROOT = Path(__file__).parents[2]
LONG = Sampling(max_tokens=8000, temperature=1.0, seed=0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose answers last long enough to be interrupted."""
    return save_tiny_model(tmp_path_factory.mktemp("models") / "tiny", window=8192)


@pytest.fixture
def paths(monkeypatch: pytest.MonkeyPatch) -> Iterator[Paths]:
    """Paths in a temporary home, whose engines are killed after the test."""
    root = tempfile.mkdtemp(prefix="sc-")
    monkeypatch.setenv("STARCHAT_HOME", root)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    found = find_paths({"STARCHAT_HOME": root})
    yield found
    for pid in list_engine_pids(found):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    shutil.rmtree(root, ignore_errors=True)


def list_engine_pids(paths: Paths) -> list[int]:
    """Return the ids of the engine processes of this home, found by their command lines."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = entry.read_bytes().split(b"\0")
            if b"serve" in words and str(paths.cache).encode() in words:
                found.append(int(entry.parent.name))
    return found


def make_engine(paths: Paths, **flags: str | bool) -> LocalEngine:
    return LocalEngine(paths, device="cpu", **flags)  # type: ignore[arg-type]


SHORT = Sampling(max_tokens=8, temperature=0.0)


def make_request(folder: Path, sampling: Sampling = SHORT) -> Request:
    return Request(str(folder), (1, 2, 3), sampling, progress=True)


async def collect(engine: LocalEngine, request: Request) -> list[Delta | Progress]:
    return [event async for event in engine.stream(request)]


async def test_two_racing_clients_start_one_engine(paths: Paths, folder: Path) -> None:
    """Start two cold processes at the same moment; the same engine answers both."""
    program = textwrap.dedent(
        f"""
        import asyncio, os, sys
        from starchat_tui.client.local_engine import LocalEngine
        from starchat_tui.config.paths import find_paths
        from starchat_tui.client.protocol import Delta, Progress, Request, Sampling

        # All imports are done: the clients start at the same moment, however slow each import was.
        print("ready", flush=True)
        sys.stdin.readline()

        async def ask():
            engine = LocalEngine(find_paths(os.environ), device="cpu")
            request = Request({str(folder)!r}, (1, 2, 3), Sampling(8, 0.0), progress=True)
            events = [event async for event in engine.stream(request)]
            stages = {{event.stage for event in events if isinstance(event, Progress)}}
            assert "starting" in stages, stages
            text = "".join(event.text for event in events if isinstance(event, Delta))
            print((await engine.fetch_health()).pid, events[-1].finish_reason, ascii(text))

        asyncio.run(ask())
        """
    )
    command = [sys.executable, "-c", program]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    clients = [subprocess.Popen(command, cwd=ROOT, text=True, **pipes) for _ in range(3)]
    for client in clients:
        assert client.stdout is not None
        assert client.stdout.readline() == "ready\n"
    for client in clients:
        assert client.stdin is not None
        client.stdin.write("go\n")
        client.stdin.flush()
    answers = [client.communicate(timeout=240)[0] for client in clients]
    assert [client.returncode for client in clients] == [0, 0, 0]
    assert len(set(answers)) == 1
    assert list_engine_pids(paths) == [int(answers[0].split()[0])]
    assert paths.engine_log.read_text().count("listening") == 1, "no second engine was started"


async def test_killed_engine_is_reported_and_replaced(paths: Paths, folder: Path) -> None:
    engine, found = make_engine(paths), []

    async def ask() -> None:
        async for event in engine.stream(make_request(folder, LONG)):
            found.append(event)
            if isinstance(event, Delta) and not killed:
                killed.append(await engine_pid(engine))
                os.kill(killed[0], signal.SIGKILL)

    killed: list[int] = []
    with pytest.raises(EngineGone, match="closed the connection") as caught:
        await ask()
    assert "start a new one" in caught.value.hint
    assert str(paths.engine_log) in caught.value.hint
    assert any(isinstance(event, Delta) for event in found), "earlier text is kept"
    assert paths.socket.exists(), "a stale socket is left"
    events = await collect(engine, make_request(folder))
    assert isinstance(events[-1], Delta)
    assert events[-1].finish_reason == "length"
    assert await engine_pid(engine) != killed[0]


async def engine_pid(engine: LocalEngine) -> int:
    health = await engine.fetch_health()
    assert health is not None
    return health.pid


async def test_failed_start_shows_the_end_of_the_log(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STARCHAT_QUANTIZE", "int5")
    engine = LocalEngine(paths, quantize="int5")
    with pytest.raises(Unavailable, match="exited while starting") as caught:
        await collect(engine, Request("m", (1,)))
    assert "int5" in caught.value.hint
    assert str(paths.engine_log) in caught.value.hint


async def test_error_before_the_answer_is_the_engines(paths: Paths) -> None:
    with pytest.raises(ModelUnavailable, match="no-such-model") as caught:
        await collect(make_engine(paths), Request("no-such-model", (1,), progress=True))
    assert "Hub id" in caught.value.hint


async def test_idle_engine_of_another_version_is_replaced(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = make_engine(paths)
    await engine.list_models()
    old = await engine_pid(engine)
    monkeypatch.setattr("starchat_tui.client.local_engine.__version__", f"{__version__}.later")
    asked = asyncio.create_task(engine.list_models())
    await wait_until(lambda: old not in list_engine_pids(paths), what="the old engine exits")
    monkeypatch.setattr("starchat_tui.client.local_engine.__version__", __version__)
    await asked
    assert await engine_pid(engine) != old


async def test_idle_engine_with_other_flags_is_replaced(paths: Paths) -> None:
    await make_engine(paths).list_models()
    old = await engine_pid(make_engine(paths))
    small = make_engine(paths, quantize="int8")
    await small.list_models()
    health = await small.fetch_health()
    assert health
    assert health.pid != old
    assert (health.device, health.quantize) == ("cpu", "int8")
    for client in (small, LocalEngine(paths)):
        await client.list_models()
        assert await engine_pid(client) == health.pid, "who asks for nothing takes any"


async def test_busy_engine_with_other_flags_is_kept(paths: Paths, folder: Path) -> None:
    async with aclosing(make_engine(paths).stream(make_request(folder, LONG))) as events:
        async for event in events:
            if isinstance(event, Delta):
                break
        with pytest.raises(Busy, match="--device cpu --quantize none") as caught:
            await make_engine(paths, quantize="int8").list_models()
        assert "starchat stop" in caught.value.hint
        assert isinstance(await anext(events), Delta)


async def test_engine_ignores_and_releases_the_clients_folder(
    paths: Paths, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("torch", "uvicorn", "starchat_tui"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('not the library')")
    monkeypatch.chdir(tmp_path)
    engine = make_engine(paths)
    events = [event async for event in engine.load_model(str(folder))]
    assert isinstance(events[-1], ModelCard)
    assert not Path(f"/proc/{await engine_pid(engine)}/cwd").samefile(tmp_path)


def test_relative_paths_in_the_environment_are_resolved(tmp_path: Path) -> None:
    package, client = tmp_path / "packages", tmp_path / "client"
    (package / "starchat_tui").mkdir(parents=True)
    client.mkdir()
    program = "import os, sys; print(os.environ['HF_HOME'], os.getcwd(), sys.argv[1:])"
    (package / "starchat_tui" / "__init__.py").touch()
    (package / "starchat_tui" / "__main__.py").write_text(program)
    said = subprocess.run(
        [sys.executable, "-P", "-c", _BOOTSTRAP, str(package), "", "serve"],
        cwd=client,
        env={"HF_HOME": "./hf", "STARCHAT_HOME": ""},
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
    )
    assert said.stdout == f"{client / 'hf'} {package} ['serve']\n"


async def test_stop_and_health(paths: Paths, folder: Path) -> None:
    engine = make_engine(paths)
    assert await engine.fetch_health() is None
    assert await engine.stop_engine() is None
    events = [event async for event in engine.load_model(str(folder))]
    assert isinstance(events[-1], ModelCard)
    assert events[-1].window == 8192
    health = await engine.fetch_health()
    assert health
    assert health.models == (str(folder),)
    assert health.keep_alive == 600
    stopped = await engine.stop_engine()
    assert stopped
    assert stopped.pid == health.pid
    await wait_until(lambda: not list_engine_pids(paths), what="the engine has exited")
    assert not paths.socket.exists()


async def test_engine_that_exited_is_started_again(paths: Paths) -> None:
    engine = make_engine(paths, keep_alive="0")
    for _ in range(2):
        with pytest.raises(ModelUnavailable):
            await collect(engine, Request("absent", (1,)))
        await wait_until(lambda: not list_engine_pids(paths), what="the engine has exited")
    assert paths.engine_log.read_text().count("listening") == 2


def test_private_engine_exits_with_its_client(paths: Paths) -> None:
    """It exits even if the client is killed and cannot clean up."""
    program = textwrap.dedent(
        """
        import asyncio, os, signal
        from starchat_tui.client.local_engine import LocalEngine
        from starchat_tui.config.paths import find_paths

        async def ask():
            engine = LocalEngine(find_paths(os.environ), device="cpu", daemon=False)
            await engine.list_models()
            print((await engine.fetch_health()).pid, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)

        asyncio.run(ask())
        """
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=240
    )
    assert int(ran.stdout), ran.stderr
    block_until(lambda: not list_engine_pids(paths), what="the private engine ends")
    assert not paths.socket.exists(), "it did not replace the shared engine"


async def test_private_engine_exits_when_closed(paths: Paths) -> None:
    engine = make_engine(paths, daemon=False)
    await engine.list_models()
    assert len(list_engine_pids(paths)) == 1
    engine.close()
    assert not list_engine_pids(paths)


async def test_long_log_is_rotated(paths: Paths) -> None:
    paths.engine_log.parent.mkdir(parents=True, exist_ok=True)
    paths.engine_log.write_bytes(b"x" * (2**20 + 1))
    await make_engine(paths).list_models()
    assert paths.engine_log.stat().st_size < 2**20
    assert paths.engine_log.with_suffix(".log.1").stat().st_size > 2**20


def test_model_folder_is_made_absolute(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    monkeypatch.setenv("HOME", str(folder.parent))
    for name in (f"./{folder.name}", f"../{folder.parent.name}/{folder.name}", f"~/{folder.name}"):
        assert Path(_make_absolute(name)).samefile(folder)
        assert Path(_make_absolute(name)).is_absolute()
    for name in ("nano-chat", "owner/name", str(folder), "~no-such-user/m", "./" + "x" * 300):
        assert _make_absolute(name) == name


@pytest.mark.slow
async def test_a_stopped_engine_is_reported_and_can_be_ended(
    paths: Paths, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = LocalEngine(paths, device="cpu")
    request = Request(str(folder), (1, 2, 3), LONG)
    # The heartbeat of the engine stays at ten seconds, but its tokens come all the time.
    monkeypatch.setattr(silence, "HEARTBEAT_SECONDS", 2.0)
    received: list[Delta | Progress] = []

    async def receive() -> None:
        async with aclosing(engine.stream(request)) as pieces:
            async for piece in pieces:
                received.append(piece)

    answering = asyncio.create_task(receive())
    await wait_until(lambda: any(isinstance(piece, Delta) for piece in received))
    (pid,) = list_engine_pids(paths)
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(EngineSilent, match=rf"\(pid {pid}\) does not answer"):
        await answering
    with pytest.raises(EngineSilent, match=str(pid)):
        await LocalEngine(paths).inspect_engine()
    stopped = await LocalEngine(paths).stop_engine()
    assert stopped is not None
    assert (stopped.pid, stopped.answered) == (pid, False)
    assert list_engine_pids(paths) == []
    assert await LocalEngine(paths).inspect_engine() is None
