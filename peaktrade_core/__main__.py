"""``python -m peaktrade_core``: the command line by interpreter, which is how the fleet starts its runs."""

from __future__ import annotations

from peaktrade_core.cli import main

if __name__ == "__main__":
    main()
