"""Task families about other languages."""
