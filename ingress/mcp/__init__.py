"""The tools for AI agents, over HTTP and over standard input and output."""
