"""Cell files and tables on disk."""
