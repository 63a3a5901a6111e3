"""Engine client: the wire protocol, the HTTP client and the local engine process."""
