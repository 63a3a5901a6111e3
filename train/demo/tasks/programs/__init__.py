"""Task families about short programs."""
