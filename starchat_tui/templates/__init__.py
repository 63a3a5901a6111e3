"""Prompt templates: render a dialogue as token ids."""
