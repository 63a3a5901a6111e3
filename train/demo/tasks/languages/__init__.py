"""Task families: languages."""
