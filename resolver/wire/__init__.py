"""Codec of the Handle protocol: octets to messages and back, without I/O."""
