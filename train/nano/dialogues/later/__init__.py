"""What users asked next: families that came after pre-training.

Only the last run of the fine-tune learns them, so that one more costs minutes, not a new model.
"""
