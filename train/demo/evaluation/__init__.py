"""Evaluation of the demo models by running their answers."""
