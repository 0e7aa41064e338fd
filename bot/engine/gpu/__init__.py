"""Merging on a GPU through torch; importing this package alone loads no torch."""
