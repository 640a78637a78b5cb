"""The state map's engine, compiled by numba; Linux only, and nothing else imports it.

Importing a module of it imports numba. Whoever wants the kernels kept in a certain
place sets numba's cache directory before. `preparing.prepare` compiles them all.
"""
