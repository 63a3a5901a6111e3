"""Isolation mechanisms: bubblewrap, Landlock, seccomp and Seatbelt."""
