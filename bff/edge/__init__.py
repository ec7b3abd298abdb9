"""Bytes in and bytes out over HTTP: the only room that knows status codes and headers."""
