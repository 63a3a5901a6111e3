"""Engine server: HTTP routes, request worker and model pool."""
