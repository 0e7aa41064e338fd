"""Chat with models: backends behind one protocol, their memory, the queue and the limits."""
