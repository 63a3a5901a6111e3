"""Training data: sources, schemas, trees, encoding, packing and batches."""
