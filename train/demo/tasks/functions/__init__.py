"""Task families about functions."""
