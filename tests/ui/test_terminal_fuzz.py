"""The real program on a real terminal that sends anything: no byte, no size, no flood ends it."""

from __future__ import annotations

import fcntl
import json
import os
import random
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.fuzz_size import choose_size
from tests.ui.terminal_app import APP_SCRIPT, ROOT
from tests.waiting import PATIENCE, block_until

LEAVING = b"\x03\x04\x10\x11\x1a"
"""Keys that quit or suspend: Ctrl+C, Ctrl+D, Ctrl+Q, Ctrl+Z, and Ctrl+P, whose list has Quit."""
HARMLESS = bytes.maketrans(LEAVING, b"." * len(LEAVING))
FUZZ_SCRIPT = APP_SCRIPT.replace("engine.enqueue(", "for _ in range(99_999): engine.enqueue(")
"""The engine answers whatever random input happens to ask."""
ANSWER = "Some **text**.\n\n```python\nprint('你好')\n```\n\n| a | b |\n|--:|---|\n| 1 | 2 |\n"


class Terminal:
    """The app on a pseudoterminal whose output is read all the time."""

    def __init__(self, folder: Path) -> None:
        (folder / "answer.json").write_text(json.dumps([ANSWER]))
        self.ours, theirs = os.openpty()
        termios.tcsetwinsize(theirs, (40, 100))
        self.process = subprocess.Popen(
            [sys.executable, "-c", FUZZ_SCRIPT, str(folder)],
            cwd=ROOT,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "TEXTUAL_ANIMATIONS": "none"},
            start_new_session=True,
        )
        os.close(theirs)
        self.shown = b""
        threading.Thread(target=self._read, daemon=True).start()
        block_until(lambda: b"Enter send" in self.shown, what="the first frame")

    def _read(self) -> None:
        with suppress(OSError):
            while part := os.read(self.ours, 65536):
                self.shown = self.shown[-200_000:] + part

    def send(self, data: bytes) -> None:
        while data:
            data = data[os.write(self.ours, data[:4096]) :]

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        # The program is in a session of its own, so the terminal does not signal it.
        self.process.send_signal(signal.SIGWINCH)

    def measure_cpu(self) -> float:
        """Return the processor seconds that the program has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def wait_until_idle(self) -> None:
        """Wait until the program has worked off what was sent."""
        # Not a fixed time: a million bytes are minutes of work.
        used = -1.0
        while self.process.poll() is None and self.measure_cpu() - used > 0.1:
            used = self.measure_cpu()
            time.sleep(1)

    def require_alive(self) -> None:
        """Type a word, after a key that closes what may be open, and see it."""
        word = f"w{random.randrange(10**6)}w"
        # Escape keys that waited behind other input would be read as one sequence.
        self.wait_until_idle()
        assert self.process.poll() is None, self.shown[-8000:].decode(errors="replace")
        self.resize(100, 40)
        # The end of a paste that was left open; Escape, apart, then leaves any dialog.
        self.send(b"\x1b[201~")
        for _ in range(6):
            self.send(b"\x1b")
            time.sleep(0.2)
        self.shown = b""
        # Pasted: the letters of keys may be drawn one by one, between escape sequences.
        self.send(b"\x1b[200~" + word.encode() + b"\x1b[201~")
        # On a busy machine it may still be working off what was sent before.
        block_until(
            lambda: word.encode() in self.shown or self.process.poll() is not None,
            what=word,
            patience=5 * PATIENCE,
        )
        assert self.process.poll() is None, self.shown[-2000:].decode(errors="replace")


@contextmanager
def open_terminal(folder: Path) -> Iterator[Terminal]:
    terminal = Terminal(folder)
    try:
        yield terminal
    finally:
        terminal.process.kill()
        terminal.process.wait()
        os.close(terminal.ours)


def generate_noise(count: int) -> Iterator[bytes]:
    """Yield random bytes and mutated escape sequences, without the keys that leave."""
    seeds = (
        *(b"\x1b[M \xa0\x30", b"\x1b[<0;10;20M", b"\x1b[<64;5;5M", b"\x1b[200~x\ry\x1b[201~"),
        *(b"\x1b[1;5A", b"\x1b[97;5u", b"\x1b[48;40;100;800;1600t", b"\x1b]11;rgb:1/2/3\x07"),
        *(b"\x1bP1$r0m\x1b\\", b"\x1b[?2026;1$y", b"\x1b[5;5R", b"\x1bOP", b"\x9b1;2A", b"\x1b[I"),
    )
    for _ in range(count):
        noise = bytearray(random.choice(seeds))
        for _ in range(random.randrange(4)):
            noise[random.randrange(len(noise))] = random.randrange(256)
        noise = noise[: random.randrange(1, len(noise) + 1)] if random.random() < 0.3 else noise
        # A key of the kitty protocol may be one that leaves, too.
        yield bytes(noise).translate(HARMLESS).replace(b"u", b"~")


@pytest.mark.slow
@pytest.mark.fuzz
def test_no_byte_and_no_sequence_ends_the_chat(tmp_path: Path) -> None:
    random.seed(2)
    with open_terminal(tmp_path) as terminal:
        for byte in range(256):
            if byte not in LEAVING:
                terminal.send(bytes([byte]))
        terminal.send("caf\xe9 na\xefve\r".encode("latin-1") + b"\x9bA\xf2\x80")
        terminal.require_alive()
        for noise in generate_noise(choose_size(200, 2_000)):
            terminal.send(noise)
        terminal.require_alive()
        left = choose_size(8_000, 1_000_000)
        while left > 0:
            terminal.send(random.randbytes(4_000).translate(HARMLESS))
            left -= 4_000
        terminal.require_alive()


@pytest.mark.slow
def test_a_paste_without_brackets_asks_nothing_and_costs_as_much_as_one_with(
    tmp_path: Path,
) -> None:
    text = b"x = compute(1, 2)\n" * 450
    with open_terminal(tmp_path) as terminal:
        start = terminal.measure_cpu()
        terminal.send(b"\x1b[200~" + text.replace(b"\n", b"\r") + b"\x1b[201~")
        block_until(lambda: b"[pasted 451 lines #1]" in terminal.shown, what="the paste")
        terminal.require_alive()
        pasted = terminal.measure_cpu() - start
        start = terminal.measure_cpu()
        terminal.send(text.replace(b"\n", b"\r"))
        block_until(lambda: b"[pasted 451 lines #2]" in terminal.shown, what="the burst")
        terminal.require_alive()
        # The measure includes the drawing of both; a tick of the clock is 0.01 s.
        assert terminal.measure_cpu() - start < 4 * pasted + 0.5


@pytest.mark.slow
def test_a_flood_of_keys_costs_time_in_proportion(tmp_path: Path) -> None:
    with open_terminal(tmp_path) as terminal:
        costs = []
        for count in (400, 1_600):
            start = terminal.measure_cpu()
            terminal.send(b"\x1b[D\x1b[C" * (count // 2))
            terminal.require_alive()
            costs.append(terminal.measure_cpu() - start)
        assert costs[1] < 8 * costs[0] + 0.5, costs


@pytest.mark.slow
def test_a_lost_terminal_ends_the_chat_in_the_middle_of_a_flood(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path)
    try:
        sender = threading.Thread(target=flood, args=(terminal.ours,), daemon=True)
        sender.start()
        time.sleep(0.5)
        os.close(terminal.ours)
        start = time.monotonic()
        assert terminal.process.wait(PATIENCE) == 128 + signal.SIGHUP
        print(f"gone after {time.monotonic() - start:.2f} s")
    finally:
        terminal.process.kill()
        terminal.process.wait()


def flood(descriptor: int) -> None:
    """Type 200,000 characters, and arrow keys, each of which is an event of its own."""
    with suppress(OSError):
        for _ in range(50):
            os.write(descriptor, b"\x1b[D\x1b[C" * 500 + b"a b\x7f" * 250)


@pytest.mark.slow
@pytest.mark.fuzz
def test_no_size_and_no_storm_of_sizes_ends_the_chat(tmp_path: Path) -> None:
    random.seed(3)
    with open_terminal(tmp_path) as terminal:
        for columns in range(13):
            for rows in range(7):
                terminal.resize(columns, rows)
                time.sleep(choose_size(2, 20) / 1000)
        terminal.require_alive()
        terminal.send(b"\x15ask\r")
        for _ in range(choose_size(60, 200)):
            terminal.resize(
                random.choice((1, 3, 8, 40, 100, 300)), random.choice((1, 2, 5, 24, 90))
            )
            time.sleep(random.random() / 50)
        terminal.require_alive()
