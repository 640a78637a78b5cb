"""Data plane: octets in, octets out; the only package that listens on sockets."""
