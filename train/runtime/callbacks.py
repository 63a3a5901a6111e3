"""What happens between the steps: the rhythm of a run, its progress, a sample answer, a signal."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Container, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState

from starchat_tui.dialogue import Dialogue
from starchat_tui.sanitize import clean
from starchat_tui.templates.template import ChatML, prompt_ids
from starchat_tui.templates.tokenizer import Vocabulary
from train.config import Config
from train.runtime.trainer import FineTuner


class Rhythm(TrainerCallback):
    """Evaluates and saves every so many steps, or once an epoch; evaluates at the end as well."""

    def __init__(self, config: Config, *, epoch: int, held_out: bool) -> None:
        self._evaluate = (config.eval_steps or epoch) if held_out else 0
        self._save = config.save_steps or epoch

    def on_step_end(
        self, args: Any, state: TrainerState, control: TrainerControl, **given: Any
    ) -> None:
        """Set what is due after this step."""
        last = state.global_step >= state.max_steps
        if self._evaluate:
            control.should_evaluate = last or state.global_step % self._evaluate == 0
        # What is finished is saved as a model, not as a checkpoint.
        control.should_save = not last and state.global_step % self._save == 0


class Stopper(TrainerCallback):
    """SIGTERM saves a checkpoint after the step at hand, and ends the run."""

    def __init__(self) -> None:
        self.told = False
        self.stopped = False
        """Whether the run was ended before its time."""

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take SIGTERM as a word to stop, meanwhile."""
        before = signal.signal(signal.SIGTERM, self._tell)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)

    def _tell(self, number: int, frame: object) -> None:
        self.told = True

    def on_step_end(
        self, args: Any, state: TrainerState, control: TrainerControl, **given: Any
    ) -> None:
        """Stop where any process was told to: they must all stop after the same step."""
        told = torch.tensor(float(self.told), device=args.device)
        if args.world_size > 1:
            torch.distributed.all_reduce(told, torch.distributed.ReduceOp.MAX)
        if bool(told) and state.global_step < state.max_steps:
            self.stopped = control.should_save = control.should_training_stop = True
            # What was not logged yet would be lost; to measure may take longer than is left.
            control.should_log, control.should_evaluate = True, False


class Progress(TrainerCallback):
    """One line on stderr for each logged step, evaluation and checkpoint."""

    def __init__(self, trainer: FineTuner) -> None:
        self._trainer = trainer
        self._at = self._began = time.monotonic()
        self._tokens = self._first = 0
        self._aside = 0.0

    def on_train_begin(
        self, args: Any, state: TrainerState, control: TrainerControl, **given: Any
    ) -> None:
        """Begin to count."""
        self._at = self._began = time.monotonic()
        self._first = state.global_step

    def on_log(
        self,
        args: Any,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **given: Any,
    ) -> None:
        """Say how far the run is, how fast, and what it learns."""
        if not logs or "loss" not in logs or not state.is_world_process_zero:
            return
        now, tokens = time.monotonic(), self._trainer.tokens
        spent = now - self._at - (self._trainer.seconds - self._aside)
        speed = (tokens - self._tokens) * args.world_size / max(spent, 1e-9)
        self._at, self._tokens, self._aside = now, tokens, self._trainer.seconds
        done = state.global_step - self._first
        left = (now - self._began) / max(done, 1) * (state.max_steps - state.global_step)
        say(
            f"step {state.global_step} of {state.max_steps}  epoch {state.epoch or 0:.2f}  "
            f"loss {logs['loss']:.4f}  rate {logs.get('learning_rate', 0):.2e}  "
            f"{speed:,.0f} tokens/s  {left / 60:.1f} min left"
        )

    def on_evaluate(
        self,
        args: Any,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, float] | None = None,
        **given: Any,
    ) -> None:
        """Say what the model makes of what it has not learned."""
        if metrics and state.is_world_process_zero:
            say(
                f"evaluation at step {state.global_step}: loss {metrics['eval_loss']:.4f}, "
                f"perplexity {metrics['eval_perplexity']:.3f}"
            )

    def on_save(
        self, args: Any, state: TrainerState, control: TrainerControl, **given: Any
    ) -> None:
        """Say where a checkpoint is."""
        if state.is_world_process_zero:
            say(f"saved {Path(args.output_dir) / f'checkpoint-{state.global_step}'}")


class Sample(TrainerCallback):
    """Asks the model a question after each evaluation."""

    def __init__(
        self,
        trainer: FineTuner,
        vocabulary: Vocabulary,
        config: Config,
        *,
        window: int,
        board: Any,
    ) -> None:
        self._trainer = trainer
        self._vocabulary = vocabulary
        self._question = config.sample
        self._most = config.sample_tokens
        self._window = window
        self._board = board

    def on_evaluate(
        self, args: Any, state: TrainerState, control: TrainerControl, **given: Any
    ) -> None:
        """Answer the question greedily; every process takes part, the first one prints."""
        if not self._question or not self._most:
            return
        began = time.monotonic()
        template = ChatML(self._vocabulary)
        prompt = prompt_ids(Dialogue().plus("user", self._question), template)
        model = self._trainer.model_wrapped
        most = min(self._most, self._window - len(prompt))
        ids = greedy(model, prompt, template.stops().ids, most, args)
        self._trainer.seconds += time.monotonic() - began
        if not state.is_world_process_zero:
            return
        text = self._vocabulary.decode(ids)
        say("\n".join(f"  | {line}" for line in (clean(text).splitlines() or [""])))
        if self._board is not None:
            self._board.add_text("sample", f"{self._question}\n\n{text}", state.global_step)


@torch.no_grad()
def greedy(model: Any, prompt: list[int], stops: Container[int], most: int, args: Any) -> list[int]:
    """The likeliest tokens after `prompt`, without a cache, which sharded weights gain little from.

    Every process computes the same; the first one's choice is everybody's, so that none waits for
    another that went on.
    """
    model.eval()
    ids = torch.tensor([prompt], device=args.device)
    said: list[int] = []
    while len(said) < most:
        logits = model(input_ids=ids, use_cache=False, logits_to_keep=1).logits
        token = logits[:, -1].argmax(-1, keepdim=True)
        if args.world_size > 1:
            torch.distributed.broadcast(token, 0)
        if int(token) in stops:
            break
        said.append(int(token))
        ids = torch.cat([ids, token], 1)
    model.train()
    return said


def say(text: str) -> None:
    """Print progress; stdout is the result's."""
    print(text, file=sys.stderr, flush=True)
