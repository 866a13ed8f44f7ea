"""The noise models, one idea a file."""
