"""Figures: each one once, in its last state, as picture and card, however it is shown."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from starchat_tui.execution.run_result import RunRecorder
from starchat_tui.sandbox.host.kernel import SandboxKernel
from starchat_tui.sandbox.outputs import Figure
from tests.sandbox.figure_cases import COLORS, PRELUDE, SHOWN, UNSEEN
from tests.sandbox.kernels import RunOutputs, run_code

pytestmark = pytest.mark.bwrap


def list_figures(run: RunOutputs) -> list[Figure]:
    """Return the figures that are left once all outputs have replaced or removed others."""
    recorder = RunRecorder()
    for output in run.outputs[:-1]:
        recorder.record(output)
    return recorder.build_result(run.end).figures


def read_card(figure: Figure) -> int:
    """Return the state that the card of a figure describes; 0 for another number of them."""
    states = [state for state in COLORS if f"a {state}" in figure.card]
    return states[0] if len(states) == 1 else 0


def read_picture(figure: Figure) -> int:
    """Return the state that the picture of a figure shows; 0 for another number of them."""
    image = Image.open(io.BytesIO(figure.png), formats=["PNG"]).convert("RGB")
    counts = {color: count for count, color in image.getcolors(2**24) or []}
    states = [state for state, color in COLORS.items() if counts.get(color, 0) > 500]
    return states[0] if len(states) == 1 else 0


async def test_every_way_to_show_a_figure_ends_with_its_last_state(
    library_kernel: SandboxKernel,
) -> None:
    found = {}
    for how, (code, states) in SHOWN.items():
        run = await run_code(library_kernel, f"{PRELUDE}\n{code}")
        figures = list_figures(run)
        cards, pictures = (
            [read_card(one) for one in figures],
            [read_picture(one) for one in figures],
        )
        if (run.end.status, sorted(cards), sorted(pictures)) != ("ok", states, states):
            found[how] = (run.end.status, cards, pictures, run.notes, run.err)
    assert not found


async def test_where_nothing_is_shown_a_sentence_says_why(library_kernel: SandboxKernel) -> None:
    found = {}
    for how, (code, expected) in UNSEEN.items():
        run = await run_code(library_kernel, f"import matplotlib.pyplot as plt\n{code}")
        is_said = [note.startswith(expected) for note in run.notes] == [True] * bool(expected)
        if run.end.status != "ok" or list_figures(run) or not is_said:
            found[how] = (run.end.status, run.notes, run.outputs)
    assert not found


async def test_a_figure_of_an_earlier_cell_can_be_shown_again(
    library_kernel: SandboxKernel,
) -> None:
    first = await run_code(library_kernel, f"{PRELUDE}\nf = draw(1); plt.show()")
    second = await run_code(library_kernel, "draw(3, f.axes[0])\nf")
    assert [read_card(one) for one in first.figures + second.figures] == [1, 3]


async def test_of_too_many_pictures_the_first_are_shown(library_kernel: SandboxKernel) -> None:
    run = await run_code(library_kernel, f"{PRELUDE}\nfor i in range(23):\n    draw(1); plt.show()")
    assert len(run.figures) == 20
    assert run.notes == ["A run shows at most 20 pictures; 3 more were left out"]


async def test_a_long_loop_sends_few_of_its_states(library_kernel: SandboxKernel) -> None:
    code = f"{PRELUDE}\nfor i in range(100):\n    draw(1 if i < 99 else 3); plt.pause(0.001)"
    run = await run_code(library_kernel, code)
    assert [read_picture(one) for one in list_figures(run)] == [3]
    assert len(run.figures) < 60
    assert len({one.key for one in run.figures}) == 1


async def test_text_and_results_are_cleared_with_the_figures(library_kernel: SandboxKernel) -> None:
    code = f"{PRELUDE}\nfor i in range(3):\n    clear_output(wait=True); print(i); display(i * 10)"
    recorder = RunRecorder()
    run = await run_code(library_kernel, f"{code}\n    import sys; print('e', i, file=sys.stderr)")
    for output in run.outputs[:-1]:
        recorder.record(output)
    result = recorder.build_result(run.end)
    assert (result.join_stream("stdout"), result.join_stream("stderr")) == ("2\n20\n", "e 2\n")
