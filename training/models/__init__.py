"""Models of spectrograms: what they hear, a recurrent trunk, and a head."""
