"""Planning: turns a recipe and its parents' headers into a list of tensor jobs; loads no tensor."""
