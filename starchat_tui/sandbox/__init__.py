"""Code that the model wrote, run behind a wall."""
