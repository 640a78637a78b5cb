"""Contracts of the chain: what they may ask, and the engines that run them.

Public: `Contracts` in table.py, which the ledger calls; the words between a ledger and
an engine in interface.py.
"""
