"""Schemes of product codes: what a printed or typed code is, and what it means."""
