"""The names that a dataset and its makers know things by. Importing this imports nothing else."""

FEATURE_NAMES = ("log_mel", "waveform", "notes", "onsets")

NOTE_FEATURES = ("notes", "onsets")
"""Those that are made from labels."""

SPLITS = ("train", "validation", "test")

FORMATS = ("tfrecord", "hdf5")

PRESET_NAMES = ("librosa", "melnet")
"""The names of `features.PRESETS`."""
