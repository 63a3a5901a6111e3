"""Conversations: session, store, events, commands and export."""
