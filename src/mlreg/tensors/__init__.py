"""Tensor formats: bytes to the places of tensors in them, and arrays to bytes and back. Pure, and never unpickled."""
