"""Host side of the sandbox: kernels, their processes and the frames they send."""
