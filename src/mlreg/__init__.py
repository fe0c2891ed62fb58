"""A registry for machine learning that needs no server: a command and a directory."""
