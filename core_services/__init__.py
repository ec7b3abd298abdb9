"""The core services: separate processes with a database each.

The gateway talks to them by HTTP only.
"""
