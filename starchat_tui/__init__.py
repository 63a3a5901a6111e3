"""StarChat in the terminal: a local StarCoder to talk to."""

__version__ = "0.2.0"
