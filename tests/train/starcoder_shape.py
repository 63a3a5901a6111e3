"""StarCoder's shape, and eight GPUs to train it on."""

from __future__ import annotations

from train.run_setup import ModelShape, TrainingSetup
from train.runtime.memory_plan import (
    GB,
)

STARCODER = ModelShape(
    parameters=15_517_456_384,
    layers=40,
    width=6144,
    inner=24576,
    keys=128,
    vocabulary=49216,
    largest=302_000_000,
)


CARD = TrainingSetup(
    devices=8,
    capacity=80 * GB,
    host=128 * GB,
    gpu=True,
    half=True,
    tokens=2048,
    block=2048,
    sharding="zero3",
)
