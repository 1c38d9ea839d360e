"""Hints that something may be new. Losing one costs time, never data."""
