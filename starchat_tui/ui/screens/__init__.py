"""Modal screens over the chat."""
