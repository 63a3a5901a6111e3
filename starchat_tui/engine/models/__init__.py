"""Model implementations: load a checkpoint and compute its logits."""
