"""Callbacks of a run."""

from __future__ import annotations

from types import SimpleNamespace

from transformers import TrainerControl, TrainerState

from train.runtime.callbacks import StopOnSignal


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
