from __future__ import annotations

from starchat_tui.sandbox.run_state import INTERRUPTED, RunControl, RunState, StopReason

TIMEOUT = StopReason("timeout", "Stopped after 60 s")


def test_a_run_goes_from_starting_to_idle() -> None:
    control, states = RunControl(), []
    states.append(control.state)
    control.mark_running()
    states.append(control.state)
    control.request_stop(TIMEOUT)
    states.append(control.state)
    control.finish()
    states.append(control.state)
    assert states == [RunState.STARTING, RunState.RUNNING, RunState.ENDING, RunState.IDLE]


def test_code_counts_as_begun_only_between_its_begin_and_its_end() -> None:
    control = RunControl()
    assert not control.has_begun
    control.mark_running()
    assert control.has_begun
    control.request_stop()
    assert control.has_begun, "asked to stop, it still runs"
    control.finish()
    assert not control.has_begun


def test_a_stop_before_the_code_begins_is_remembered() -> None:
    control = RunControl()
    control.request_stop()
    assert control.state is RunState.STARTING
    assert control.stop_reason == INTERRUPTED
    control.mark_running()
    assert control.state is RunState.ENDING


def test_the_first_reason_counts_and_none_after_the_end() -> None:
    control, calls = RunControl(), list[str]()
    with control.handle_stop(lambda: calls.append("stop")):
        control.request_stop(TIMEOUT)
        control.request_stop()
    assert control.stop_reason == TIMEOUT
    assert calls == ["stop"]
    ended = RunControl()
    ended.finish()
    ended.request_stop()
    assert ended.stop_reason is None


def test_a_handler_is_called_for_an_earlier_stop_and_not_after_its_block() -> None:
    control, calls = RunControl(), list[str]()
    control.request_stop()
    with control.handle_stop(lambda: calls.append("late")):
        assert calls == ["late"]
    other = RunControl()
    with other.handle_stop(lambda: calls.append("never")):
        pass
    other.request_stop()
    assert calls == ["late"]
