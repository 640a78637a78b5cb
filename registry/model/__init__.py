"""Identifiers, values and records: immutable types and their stored octets."""
