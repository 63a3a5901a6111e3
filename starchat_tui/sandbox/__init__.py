"""Execution of code that the model wrote, confined by a sandbox."""
