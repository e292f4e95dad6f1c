"""greenlane: complete AI applications from a kit of parts, kept up to date."""

__version__ = "0.1.0"
