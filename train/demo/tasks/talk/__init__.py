"""Task families of small talk."""
