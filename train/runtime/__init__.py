"""Runs: memory and disk planning, processes, checkpoints, the trainer and its callbacks."""
