"""The engine as faces start it: exactly one, with its last words, and anew after a kill."""

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
from starchat_tui.client.local_engine import _BEGIN, LocalEngine, _absolute
from starchat_tui.client.protocol import Delta, ModelCard, Progress, Request, Sampling
from starchat_tui.errors import Busy, EngineGone, ModelUnavailable, Unavailable
from starchat_tui.settings import Paths, find_paths
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
    """A home of its own; whatever engine was started in it is ended."""
    root = tempfile.mkdtemp(prefix="sc-")
    monkeypatch.setenv("STARCHAT_HOME", root)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    found = find_paths({"STARCHAT_HOME": root})
    yield found
    for pid in engines(found):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    shutil.rmtree(root, ignore_errors=True)


def engines(paths: Paths) -> list[int]:
    """The processes that serve in this home, by what they say they were started with."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = entry.read_bytes().split(b"\0")
            if b"serve" in words and str(paths.cache).encode() in words:
                found.append(int(entry.parent.name))
    return found


def local(paths: Paths, **flags: str | bool) -> LocalEngine:
    return LocalEngine(paths, device="cpu", **flags)  # type: ignore[arg-type]


SHORT = Sampling(max_tokens=8, temperature=0.0)


def asking(folder: Path, sampling: Sampling = SHORT) -> Request:
    return Request(str(folder), (1, 2, 3), sampling, progress=True)


async def collected(engine: LocalEngine, request: Request) -> list[Delta | Progress]:
    return [event async for event in engine.stream(request)]


async def test_two_racing_faces_start_one_engine(paths: Paths, folder: Path) -> None:
    """Two processes, cold, at the same moment; both are answered by the same engine."""
    program = textwrap.dedent(
        f"""
        import asyncio, os
        from starchat_tui.client.local_engine import LocalEngine, _absolute
        from starchat_tui.settings import find_paths
        from starchat_tui.client.protocol import Delta, Progress, Request, Sampling

        async def ask():
            engine = LocalEngine(find_paths(os.environ), device="cpu")
            request = Request({str(folder)!r}, (1, 2, 3), Sampling(8, 0.0), progress=True)
            events = [event async for event in engine.stream(request)]
            stages = {{event.stage for event in events if isinstance(event, Progress)}}
            assert "starting" in stages, stages
            text = "".join(event.text for event in events if isinstance(event, Delta))
            print((await engine.health()).pid, events[-1].finish_reason, ascii(text))

        asyncio.run(ask())
        """
    )
    command = [sys.executable, "-c", program]
    faces = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    answers = [face.communicate(timeout=240)[0] for face in faces]
    assert [face.returncode for face in faces] == [0, 0, 0]
    assert len(set(answers)) == 1
    assert engines(paths) == [int(answers[0].split()[0])]
    assert paths.engine_log.read_text().count("listening") == 1, "no second one even began"


async def test_a_kill_in_mid_answer_is_told_and_the_next_question_starts_anew(
    paths: Paths, folder: Path
) -> None:
    engine, found = local(paths), []

    async def ask() -> None:
        async for event in engine.stream(asking(folder, LONG)):
            found.append(event)
            if isinstance(event, Delta) and not killed:
                killed.append(await pid_of(engine))
                os.kill(killed[0], signal.SIGKILL)

    killed: list[int] = []
    with pytest.raises(EngineGone, match="hung up") as caught:
        await ask()
    assert "starts" in caught.value.hint
    assert str(paths.engine_log) in caught.value.hint
    assert any(isinstance(event, Delta) for event in found), "what came before is kept"
    assert paths.socket.exists(), "a stale socket is left"
    events = await collected(engine, asking(folder))
    assert isinstance(events[-1], Delta)
    assert events[-1].finish_reason == "length"
    assert await pid_of(engine) != killed[0]


async def pid_of(engine: LocalEngine) -> int:
    health = await engine.health()
    assert health is not None
    return health.pid


async def test_an_engine_that_cannot_start_leaves_its_last_words(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STARCHAT_QUANTIZE", "int5")
    engine = LocalEngine(paths, quantize="int5")
    with pytest.raises(Unavailable, match="ended while it started") as caught:
        await collected(engine, Request("m", (1,)))
    assert "int5" in caught.value.hint
    assert str(paths.engine_log) in caught.value.hint


async def test_an_error_before_the_answer_is_the_engines_own(paths: Paths) -> None:
    with pytest.raises(ModelUnavailable, match="no-such-model") as caught:
        await collected(local(paths), Request("no-such-model", (1,), progress=True))
    assert "Hub id" in caught.value.hint


async def test_an_engine_of_another_version_is_replaced_when_idle(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = local(paths)
    await engine.models()
    old = await pid_of(engine)
    monkeypatch.setattr("starchat_tui.client.local_engine.__version__", f"{__version__}.later")
    asked = asyncio.create_task(engine.models())
    await wait_until(lambda: old not in engines(paths), what="the old one leaves")
    monkeypatch.setattr("starchat_tui.client.local_engine.__version__", __version__)
    await asked
    assert await pid_of(engine) != old


async def test_an_engine_that_computes_otherwise_is_replaced_when_idle(paths: Paths) -> None:
    await local(paths).models()
    old = await pid_of(local(paths))
    small = local(paths, quantize="int8")
    await small.models()
    health = await small.health()
    assert health
    assert health.pid != old
    assert (health.device, health.quantize) == ("cpu", "int8")
    for face in (small, LocalEngine(paths)):
        await face.models()
        assert await pid_of(face) == health.pid, "who asks for nothing takes any"


async def test_an_engine_that_computes_otherwise_and_answers_is_left_alone(
    paths: Paths, folder: Path
) -> None:
    async with aclosing(local(paths).stream(asking(folder, LONG))) as events:
        async for event in events:
            if isinstance(event, Delta):
                break
        with pytest.raises(Busy, match="--device cpu --quantize none") as caught:
            await local(paths, quantize="int8").models()
        assert "starchat stop" in caught.value.hint
        assert isinstance(await anext(events), Delta)


async def test_the_engine_imports_nothing_from_its_faces_folder_and_does_not_hold_it(
    paths: Paths, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("torch", "uvicorn", "starchat_tui"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('not the library')")
    monkeypatch.chdir(tmp_path)
    engine = local(paths)
    events = [event async for event in engine.load(str(folder))]
    assert isinstance(events[-1], ModelCard)
    assert not Path(f"/proc/{await pid_of(engine)}/cwd").samefile(tmp_path)


def test_a_relative_path_in_a_variable_means_what_it_meant_to_the_face(tmp_path: Path) -> None:
    package, face = tmp_path / "packages", tmp_path / "face"
    (package / "starchat_tui").mkdir(parents=True)
    face.mkdir()
    told = "import os, sys; print(os.environ['HF_HOME'], os.getcwd(), sys.argv[1:])"
    (package / "starchat_tui" / "__init__.py").touch()
    (package / "starchat_tui" / "__main__.py").write_text(told)
    said = subprocess.run(
        [sys.executable, "-P", "-c", _BEGIN, str(package), "serve"],
        cwd=face,
        env={"HF_HOME": "./hf", "STARCHAT_HOME": ""},
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
    )
    assert said.stdout == f"{face / 'hf'} {package} ['serve']\n"


async def test_stop_and_ps(paths: Paths, folder: Path) -> None:
    engine = local(paths)
    assert await engine.health() is None
    assert await engine.stop() is None
    events = [event async for event in engine.load(str(folder))]
    assert isinstance(events[-1], ModelCard)
    assert events[-1].window == 8192
    health = await engine.health()
    assert health
    assert health.models == (str(folder),)
    assert health.keep_alive == 600
    stopped = await engine.stop()
    assert stopped
    assert stopped.pid == health.pid
    await wait_until(lambda: not engines(paths), what="it is gone")
    assert not paths.socket.exists()


async def test_an_engine_that_left_between_two_questions_is_started_again(paths: Paths) -> None:
    engine = local(paths, keep_alive="0")
    for _ in range(2):
        with pytest.raises(ModelUnavailable):
            await collected(engine, Request("absent", (1,)))
        await wait_until(lambda: not engines(paths), what="it left")
    assert paths.engine_log.read_text().count("listening") == 2


def test_a_private_engine_ends_with_its_face(paths: Paths) -> None:
    """Even where the face is killed and can clean up nothing."""
    program = textwrap.dedent(
        """
        import asyncio, os, signal
        from starchat_tui.client.local_engine import LocalEngine, _absolute
        from starchat_tui.settings import find_paths

        async def ask():
            engine = LocalEngine(find_paths(os.environ), device="cpu", daemon=False)
            await engine.models()
            print((await engine.health()).pid, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)

        asyncio.run(ask())
        """
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=240
    )
    assert int(ran.stdout), ran.stderr
    block_until(lambda: not engines(paths), what="the private engine ends")
    assert not paths.socket.exists(), "it did not take the shared one's place"


async def test_a_private_engine_is_ended_by_closing_it(paths: Paths) -> None:
    engine = local(paths, daemon=False)
    await engine.models()
    assert len(engines(paths)) == 1
    engine.close()
    assert not engines(paths)


async def test_a_long_log_is_put_aside(paths: Paths) -> None:
    paths.engine_log.parent.mkdir(parents=True, exist_ok=True)
    paths.engine_log.write_bytes(b"x" * (2**20 + 1))
    await local(paths).models()
    assert paths.engine_log.stat().st_size < 2**20
    assert paths.engine_log.with_suffix(".log.1").stat().st_size > 2**20


def test_a_folder_is_found_from_wherever_the_engine_runs(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    monkeypatch.setenv("HOME", str(folder.parent))
    for name in (f"./{folder.name}", f"../{folder.parent.name}/{folder.name}", f"~/{folder.name}"):
        assert Path(_absolute(name)).samefile(folder)
        assert Path(_absolute(name)).is_absolute()
    for name in ("nano-chat", "owner/name", str(folder), "~no-such-user/m", "./" + "x" * 300):
        assert _absolute(name) == name
