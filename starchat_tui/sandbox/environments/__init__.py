"""Environments for code: interpreters and libraries, apart from those of StarChat itself."""
