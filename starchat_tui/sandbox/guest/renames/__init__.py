"""Names and arguments that libraries have removed since 2023 and that mean exactly one thing."""
