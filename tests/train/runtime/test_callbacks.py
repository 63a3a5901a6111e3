"""What happens between the steps."""

from __future__ import annotations

from types import SimpleNamespace

from transformers import TrainerControl, TrainerState

from train.runtime.callbacks import Stopper


def test_a_run_that_is_stopped_logs_its_last_steps_and_measures_nothing() -> None:
    stopper = Stopper()
    args = SimpleNamespace(device="cpu", world_size=1)
    state = TrainerState(global_step=3, max_steps=9)
    control = TrainerControl(should_evaluate=True)
    stopper.on_step_end(args, state, control)
    assert (control.should_evaluate, control.should_training_stop) == (True, False)
    stopper.told = True
    stopper.on_step_end(args, state, control)
    assert (control.should_log, control.should_save, control.should_training_stop) == (True,) * 3
    assert not control.should_evaluate
