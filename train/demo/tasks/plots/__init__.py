"""Task families about plots of given data: values, labels and titles are copied."""
