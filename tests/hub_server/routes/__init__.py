"""The Hub's HTTP routes, one noun per file."""
