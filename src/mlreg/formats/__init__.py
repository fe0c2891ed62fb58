"""Formats: bytes to values and back. Pure: no files, no clock, no randomness. One page each in `docs/format/`."""
