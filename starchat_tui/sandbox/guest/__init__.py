"""What runs behind the wall, in IPython; imports nothing of ours but itself."""
