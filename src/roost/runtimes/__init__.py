"""Processes of agents: what can be seen of them here."""
