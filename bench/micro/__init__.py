"""Microbenchmarks, with pytest-benchmark: one function each, no network.

python -m pytest bench/micro --benchmark-only -o python_files='bench_*.py'
"""
