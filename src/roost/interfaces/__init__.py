"""Where people, agents and programs come in."""
