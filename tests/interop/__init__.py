"""Our client, unchanged, against a server nobody here wrote."""
