"""The demo models: corpus, tokenizer, pre-training, ChatML fine-tune, scores, card."""
