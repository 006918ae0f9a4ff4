"""The live page: a small web server, and what it sends to the browser."""
