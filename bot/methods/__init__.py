"""The maths: one family per file; a method is one plain function on the registry."""
