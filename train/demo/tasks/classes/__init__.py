"""Task families: classes."""
