"""What a noise did to masks: counts, rates, and tables for people."""
