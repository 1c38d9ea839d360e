"""Tokens: keys by which programs that are no process of this machine's sessions come in."""
