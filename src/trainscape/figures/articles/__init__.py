"""The figures that the articles drew, for studies that ask for them by name (``figures:``)."""
