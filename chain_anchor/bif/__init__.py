"""The 星火·链网 (Xinghuo BIF) chain: its formats, its ledger, its node.

Knows octets, accounts and transactions, not identifiers; imports neither `registry`
nor `resolver`. What is here is pure: clock and storage are arguments.
"""
