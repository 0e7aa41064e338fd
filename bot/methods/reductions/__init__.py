"""Statistics of whole tensors, folded grain by grain."""
