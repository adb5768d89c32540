"""The interface over HTTP, and the process that serves it with the page."""
