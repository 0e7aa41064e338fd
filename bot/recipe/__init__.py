"""Recipes: strict YAML with line numbers, the grammar, parameter values, sweeps, hash and lock."""
