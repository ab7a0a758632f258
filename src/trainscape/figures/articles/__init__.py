"""The figures that the articles drew, for studies that ask for them by name (``figures:``).

``names`` lists them, ``draw`` makes them. Nothing is imported here: the Snakefile reads ``names``.
"""
