"""Command line: argument parsing, one-shot mode, line mode and subcommands."""
