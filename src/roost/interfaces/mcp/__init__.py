"""MCP: the hub's verbs as a few tools and resources, over HTTP and over `roost mcp`; docs/reference/mcp.md."""
