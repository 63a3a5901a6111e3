"""Tests of our client against an OpenAI-compatible server of another project."""
