"""Hints: one sentence on an error that the sandbox, or a library newer than the code, causes."""
