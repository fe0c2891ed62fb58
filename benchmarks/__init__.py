"""How fast mlreg is, beside tools that do the same work, in the same run on the same machine."""
