"""Textual widgets of the chat."""
