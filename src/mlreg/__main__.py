"""`python -m mlreg` is `mlreg`."""

from __future__ import annotations

from mlreg.cli.main import main

if __name__ == "__main__":
    main()
