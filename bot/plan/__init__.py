"""Recipe and headers in, a list of tensor jobs out; no tensor is loaded."""
