"""Code that runs inside the sandbox, around IPython; it imports no other part of the product."""
