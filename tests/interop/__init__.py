"""Our client, unchanged, against an OpenAI-style server of another project."""
