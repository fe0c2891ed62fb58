"""Other libraries, and how they see a registry: each in one file, behind an extra, over the registry alone."""
