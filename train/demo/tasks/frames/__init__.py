"""Task families about data frames."""
