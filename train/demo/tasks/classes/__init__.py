"""Task families about classes."""
