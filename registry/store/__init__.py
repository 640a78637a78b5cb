"""Where records are kept: a protocol and its engines."""
