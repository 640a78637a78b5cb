"""Makes history provable: a transparency log and a state map under one checkpoint.

Knows octets, not identifiers, and imports neither `registry` nor `resolver`.
"""
