"""Loads, corpora and measurements; stays in the repository."""
