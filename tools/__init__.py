"""The command-line tools: each parses, merges and runs; the work is in the package."""
