"""Training: data, models, runs and publication, and the recipe of the demo models."""
