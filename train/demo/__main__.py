"""Make the demo models: `python -m train.demo [--smoke] [--only STAGE]`."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import torch
import yaml

from train.demo import sizes as config
from train.demo.pipeline import Stages
from train.modeling.compute import device

ROOT = Path(__file__).parents[2]
STAGES = ("corpus", "dialogues", "tokenizer", "base_rows", "base", "annealed", "chat", "scores")
WEIGHTS = ROOT / "starchat_tui" / "weights"


def main() -> None:
    """Run the stages that are not cached."""
    parser = argparse.ArgumentParser(prog="python -m train.demo", description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="every stage at a size for CI")
    named = tuple(yaml.safe_load(config.SIZES.read_text()))
    parser.add_argument("--size", choices=named, default="cpu", help="a name in sizes.yaml")
    parser.add_argument("--only", choices=STAGES, help="stop after this stage")
    parser.add_argument("--threads", type=int, help="of the processor; all where not given")
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "nano")
    options = parser.parse_args()
    # The fine-tune runs in another folder than this, and is told these paths.
    options.build = options.build.resolve()
    if options.threads:
        torch.set_num_threads(options.threads)
    # DeepSpeed, which transformers looks at, would announce its choice on stdout.
    os.environ.setdefault("DS_ACCELERATOR", device().type)
    sizes = config.load("smoke" if options.smoke else options.size)
    stages = Stages(sizes, options.build)
    target = options.build / "weights" if options.smoke else WEIGHTS
    try:
        print(getattr(stages, options.only)() if options.only else stages.weights(target))
    except subprocess.CalledProcessError as error:
        # The fine-tune has said why; what it had saved is gone on with by the same command.
        sys.exit(error.returncode)


if __name__ == "__main__":
    main()
