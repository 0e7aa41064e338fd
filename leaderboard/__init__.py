"""Results as data: what a run's record says, how records are compared and ranked, how they look.

Nothing here loads a model, reaches the network or knows how a merge is made; the pipeline, the
Space and the command line all show the same words and numbers because they take them from here.
"""
