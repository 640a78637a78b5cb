"""Commands of `idis`, one a file; `resolver.parsers` describes their arguments."""
