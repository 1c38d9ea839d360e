"""The demonstration: four scripted agents build a small feature together, and every message is accounted for."""
