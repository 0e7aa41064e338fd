"""mergebot: a merge recipe goes in at the top, a published model comes out at the bottom."""

__version__ = "0.1.0"
