"""The network that `binxent train` makes by default beside other models, on the tables of public packages.

`python -m bench.tables` prepares the tables, trains whatever has no result yet, and writes `results/tables.json`.
"""
