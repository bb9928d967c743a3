"""The laboratory in a browser: an HTTP server (aiohttp) with the page of textual-serve, and a process per visitor."""
