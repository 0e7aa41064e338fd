"""Blind votes: drawn and kept on the server, counted in pairs, never part of the score."""
