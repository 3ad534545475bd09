"""What the named endpoints of all rooms share, and the MCP server that hands them to language models."""
