"""The command line: parse, one call, show. `main` is where it starts, `output` the only module that prints."""
