"""The record of who made what from what: license, ancestry, flags, and the model card."""
