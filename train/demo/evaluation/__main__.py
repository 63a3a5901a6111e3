"""Score the demo models by execution.

python -m train.demo.evaluation [WEIGHTS] --dialogues FOLDER [--out FILE]
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from starchat_tui.dialogue import Mode
from starchat_tui.errors import StarChatError
from train.demo.evaluation.scoring import MODEL_NAMES, ROOT, score_model


def main() -> None:
    """Score both models in their modes and print one JSON document."""
    parser = argparse.ArgumentParser(prog="python -m train.demo.evaluation", description=__doc__)
    parser.add_argument("weights", type=Path, nargs="?", default=ROOT / "starchat_tui" / "weights")
    parser.add_argument("--dialogues", type=Path, help="the folder of the dialogues stage")
    parser.add_argument("--asked", type=int, default=120, help="conversations of a side at most")
    parser.add_argument("--only", default="", help="a side, or a part of a family's name")
    parser.add_argument("--mode", choices=tuple(MODEL_NAMES), action="append")
    parser.add_argument("--show", action="store_true", help="print wrong answers on stderr")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    modes: list[Mode] = options.mode or list(MODEL_NAMES)
    try:
        result = {
            mode: score_model(
                options.weights / MODEL_NAMES[mode],
                mode,
                options.dialogues,
                options.asked,
                only=options.only,
                show=options.show,
            )
            for mode in modes
        }
    except (StarChatError, OSError) as error:
        sys.exit(f"error: {error}")
    text = json.dumps(result, indent=1)
    if options.out:
        options.out.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
