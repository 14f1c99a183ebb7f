"""The one module that imports httpx, so that its successor can replace it in a line."""

from httpx import AsyncClient, Client, HTTPError, Response, Timeout

__all__ = ["AsyncClient", "Client", "HTTPError", "Response", "Timeout"]
