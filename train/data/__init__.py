"""Training data: read sources, build dialogue trees, encode and pack them."""
