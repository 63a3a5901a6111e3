"""Models for training: attention, loss, optimizers and tokenizer extension."""
