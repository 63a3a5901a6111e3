"""Speed as a product: measured in physical units, kept with its failures (`make bench`)."""
