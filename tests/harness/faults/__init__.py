"""A proxy that stands before a real server and spoils what passes, on demand and counted.

`proxy.py` runs it as a process of its own; `route.py` is the proxy itself.
"""
