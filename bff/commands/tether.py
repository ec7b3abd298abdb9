"""Run as a program: becomes the command it is given, to be stopped when its starter is gone.

A starter that is killed can stop nobody; Linux alone can be asked to. Standard library only, and
no package around it: it runs before every process of `bff up`.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # prctl(2); stays in force over execve(2)


def main(starter: int, command: list[str]) -> None:
    """Ask for SIGTERM at the starter's death, then become the command."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != starter:  # it died before we could ask
        sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606 - the command of our own starter


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
