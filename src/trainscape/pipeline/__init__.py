"""The stages of a study: their files, what decides them, and the work behind each rule.

``layout`` names the files of a study, ``stages`` says what decides the products of each stage, and
every stage has a file of its own with one function, ``make``. ``workflow`` is what the Snakefile
reads; ``estimate`` and ``which`` are commands.
"""
