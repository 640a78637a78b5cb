"""Commands of `idis`, one a file; `resolver.cli` parses their arguments."""
