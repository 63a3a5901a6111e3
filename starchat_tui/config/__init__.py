"""Configuration: settings, directories, sizes and optional dependencies."""
