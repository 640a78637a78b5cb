"""Identifiers as domain names and values as resource records, without a socket."""
