"""Handlers, one concern a file; the contract is in `resolver.chain`."""
