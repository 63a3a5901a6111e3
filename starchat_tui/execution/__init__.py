"""Code execution for a conversation: kernels, run results and saved files."""
