"""Text descriptions of matplotlib figures."""
