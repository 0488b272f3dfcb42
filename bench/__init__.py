"""How fast, how small and how exact binxent is, beside its peers and beside the machine's own limit.

`python -m bench` measures and writes `results/*.json`; `python -m bench.tables` puts them into the documents.
"""
