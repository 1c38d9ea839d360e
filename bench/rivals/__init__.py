"""What a user would pick instead, and the bare limits: each in a process of its own, durable where it says so."""
