"""The stages, their files, and what the Snakefile needs of them."""
