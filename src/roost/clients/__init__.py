"""The coding clients."""
