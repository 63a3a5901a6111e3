"""Callbacks of a run."""

from __future__ import annotations

from types import SimpleNamespace

from transformers import TrainerControl, TrainerState

from train.config import Config
from train.runtime.callbacks import IntervalCallback, StopOnSignal


def test_a_stopped_run_logs_and_saves_without_evaluating() -> None:
    stopper = StopOnSignal()
    args = SimpleNamespace(device="cpu", world_size=1)
    state = TrainerState(global_step=3, max_steps=9)
    control = TrainerControl(should_evaluate=True)
    stopper.on_step_end(args, state, control)
    assert (control.should_evaluate, control.should_training_stop) == (True, False)
    stopper.requested = True
    stopper.on_step_end(args, state, control)
    assert (control.should_log, control.should_save, control.should_training_stop) == (True,) * 3
    assert not control.should_evaluate


def due_steps(config: Config, *, held_out: bool = True) -> tuple[list[int], list[int]]:
    """Return the steps of a run of nine at which it evaluates and saves; an epoch has four."""
    callback = IntervalCallback(config, epoch=4, held_out=held_out)
    evaluated, saved = [], []
    for step in range(1, 10):
        control = TrainerControl()
        callback.on_step_end(None, TrainerState(global_step=step, max_steps=9), control)
        evaluated += [step] * control.should_evaluate
        saved += [step] * control.should_save
    return evaluated, saved


def test_a_run_evaluates_and_saves_once_an_epoch_and_evaluates_at_the_end() -> None:
    assert due_steps(Config()) == ([4, 8, 9], [4, 8])


def test_intervals_are_configurable() -> None:
    assert due_steps(Config(eval_steps=5, save_steps=3)) == ([5, 9], [3, 6])
    assert due_steps(Config(), held_out=False) == ([], [4, 8])
