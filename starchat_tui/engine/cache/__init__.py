"""Prefix cache: reuse keys and values of prompts already processed, in memory and on disk."""
