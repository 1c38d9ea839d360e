"""The native protocol: frames of msgpack between a hub and the daemon that serves it; see docs/reference/wire.md."""
