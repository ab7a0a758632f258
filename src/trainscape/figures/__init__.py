"""Tables -> pictures: ``draw`` makes what ``names`` lists.

Nothing is imported here: the Snakefile reads ``names``, which must not load matplotlib.
"""
