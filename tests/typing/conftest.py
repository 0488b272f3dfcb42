"""What users write here is read by type checkers, and not run: half of it is wrong."""

collect_ignore_glob = ["*_user.py"]
