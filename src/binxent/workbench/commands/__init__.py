"""The commands of `binxent`."""
