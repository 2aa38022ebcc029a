"""`python -m candlewick` is the command `candlewick`."""

from __future__ import annotations

from candlewick.cli import main

if __name__ == "__main__":
    main()
