"""The command line of musicnet-duet, and what its two halves share there."""

__version__ = "0.1.0"
