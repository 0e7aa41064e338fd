"""The record of who made what from what: licence, ancestry, flags, and the model card."""
