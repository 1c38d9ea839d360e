"""What a coding client runs at each of its events: a tiny program, and the full library when there is work."""
