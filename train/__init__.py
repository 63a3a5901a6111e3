"""Making models: the demo models here, the fine-tune of real ones beside it."""
