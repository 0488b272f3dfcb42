"""Speed, memory and accuracy of binxent, beside its peers and beside the limit of the machine.

`python -m bench` measures and writes `results/*.json`; `python -m bench.documents` writes the tables into the
documents.
"""
