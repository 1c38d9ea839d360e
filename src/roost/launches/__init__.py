"""Launches: clients that Roost started itself, and the keys by which their hooks come in over HTTP."""
