"""Task families: talk."""
