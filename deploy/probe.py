"""Exit 0 when a URL answers 200, else 1 with the reason: the health check of a container, which has
neither curl nor a shell script. Needs nothing but Python, and knows nothing of the project."""

import sys
import urllib.error
import urllib.request

WITHIN_S = 2.5


def probe(url: str) -> str | None:
    """What is wrong, None if nothing is. Not through the proxy of an environment."""
    asking = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with asking.open(url, timeout=WITHIN_S) as answer:
            return None if answer.status == 200 else f"status {answer.status}"
    except urllib.error.HTTPError as error:
        return f"status {error.code}: {error.read(500).decode(errors='replace')}"
    except (OSError, ValueError) as error:
        return str(error)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: probe.py URL")
    sys.exit(probe(sys.argv[1]))
