"""Model registry: known models, the files they need, and the hardware they fit."""
