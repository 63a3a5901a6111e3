"""Engine client: the protocol, the HTTP client and the local engine process."""
