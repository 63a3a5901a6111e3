"""Runs of code blocks, stored with the turns that the blocks belong to."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

from starchat_tui.chat.store import ConversationStore
from starchat_tui.chat.store_errors import StoreError

if TYPE_CHECKING:
    from starchat_tui.execution.kernel_manager import KernelManager
    from starchat_tui.execution.run_result import RunResult
    from starchat_tui.sandbox.host.downloads import Download
    from starchat_tui.sandbox.outputs import Note, Output
    from starchat_tui.sandbox.run_state import RunControl


class BlockRuns:
    """Runs code blocks and keeps their results in the store."""

    def __init__(self, store: ConversationStore, kernel_manager: KernelManager | None) -> None:
        self._store = store
        self._kernel_manager = kernel_manager

    async def run(
        self,
        turn: int,
        block: int,
        code: str,
        downloads: Sequence[Download] = (),
        control: RunControl | None = None,
    ) -> AsyncGenerator[Output, None]:
        """Run a code block, yield its outputs and store the result with its turn.

        Args:
            turn: Id of the turn.
            block: Index of the block within the turn, from 0.
            code: The code as the kernel takes it.
            downloads: Files that the user allowed to download for this run.
            control: Stops the run.

        Returns:
            Outputs, the last of which is a `RunEnded`.

        Raises:
            Busy: Code is running already.
        """
        from starchat_tui.execution.run_result import RunRecorder
        from starchat_tui.sandbox.outputs import Preparation, RunEnded

        assert self._kernel_manager is not None
        recorder, stored = RunRecorder(), True
        try:
            async with aclosing(self._kernel_manager.run(code, downloads, control)) as outputs:
                async for output in outputs:
                    if isinstance(output, Preparation):
                        yield output
                        continue
                    stored = isinstance(output, RunEnded)
                    if not isinstance(output, RunEnded):
                        recorder.record(output)
                    elif note := self._store_result(
                        turn, block, code, recorder.build_result(output)
                    ):
                        yield note
                    yield output
        finally:
            if not stored:
                # The consumer closed the generator before the end.
                ended = RunEnded("interrupted", self._kernel_manager.level or "off", 0.0)
                self._store_result(turn, block, code, recorder.build_result(ended))

    def _store_result(self, turn: int, block: int, code: str, result: RunResult) -> Note | None:
        """Store the result of a run; returns a note for the user if that fails."""
        from starchat_tui.execution.run_result import serialize_result
        from starchat_tui.sandbox.outputs import Note

        if result.ended.status in ("no-sandbox", "no-environment"):
            return None
        document, pictures = serialize_result(result)
        try:
            self._store.add_run(turn, block, code, document, pictures)
        except StoreError as error:
            # The output is on the screen already: losing the record must not lose the run.
            return Note(f"This run is not stored. {error.message}: {error.hint}")
        return None

    def load_results(self, turn: int) -> Mapping[int, RunResult]:
        """Return the last result of each code block of a turn, by the index of the block."""
        from starchat_tui.execution.run_result import deserialize_result

        return {
            run.block: deserialize_result(run.document, run.pictures)
            for run in self._store.load_runs(turn)
        }
