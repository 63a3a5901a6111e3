"""Synthetic dialogues: simple programming questions, answers, and checks of answers."""
