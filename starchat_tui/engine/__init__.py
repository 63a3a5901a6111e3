"""Inference engine: token ids in, token ids and text out. Only this package imports torch."""
