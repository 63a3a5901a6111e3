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
from train.demo.pipeline import Pipeline
from train.modeling.compute import training_device

ROOT = Path(__file__).parents[2]
STAGES = {
    "corpus": Pipeline.build_corpus,
    "dialogues": Pipeline.build_dialogues,
    "tokenizer": Pipeline.build_tokenizer,
    "base_rows": Pipeline.build_base_rows,
    "base": Pipeline.build_base,
    "annealed": Pipeline.build_annealed,
    "chat": Pipeline.build_chat,
    "scores": Pipeline.build_scores,
}
WEIGHTS = ROOT / "starchat_tui" / "weights"


def main() -> None:
    """Run the stages whose results are not in the build folder yet."""
    parser = argparse.ArgumentParser(prog="python -m train.demo", description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="run every stage at a tiny size")
    names = tuple(yaml.safe_load(config.SIZES_FILE.read_text()))
    parser.add_argument("--size", choices=names, default="cpu", help="a size of sizes.yaml")
    parser.add_argument("--only", choices=STAGES, help="stop after this stage")
    parser.add_argument("--threads", type=int, help="CPU threads (default: all)")
    parser.add_argument(
        "--build", type=Path, default=ROOT / "build" / "nano", help="the folder for all results"
    )
    options = parser.parse_args()
    # The fine-tune is a child process with another working directory.
    options.build = options.build.resolve()
    if options.threads:
        torch.set_num_threads(options.threads)
    # Without it DeepSpeed, which transformers imports, prints its choice on stdout.
    os.environ.setdefault("DS_ACCELERATOR", training_device().type)
    sizes = config.load_sizes("smoke" if options.smoke else options.size)
    pipeline = Pipeline(sizes, options.build)
    target = options.build / "weights" if options.smoke else WEIGHTS
    try:
        print(STAGES[options.only](pipeline) if options.only else pipeline.export_weights(target))
    except subprocess.CalledProcessError as error:
        # The fine-tune has printed its error. The same command resumes from its last checkpoint.
        sys.exit(error.returncode)


if __name__ == "__main__":
    main()
