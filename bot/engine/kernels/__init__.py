"""Compiled forms of the common methods: decode, compute and round in one pass over the bytes.

A kernel equals the plain definition in ``bot.methods`` bit for bit (its test holds it to that); a
method without one runs as it stands. Kernels are compiled on first use and cached on disk.
"""
