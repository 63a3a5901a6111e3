"""Training runtime: memory planning, distributed launch, checkpoints and the trainer."""
