"""Audio files of every format that is read: headers, and any range of samples at any rate."""
