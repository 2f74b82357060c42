"""The names that a dataset and its makers know things by. Importing this imports nothing else."""

FEATURE_NAMES = ("log_mel", "waveform", "notes", "onsets", "instruments")

DEFAULT_FEATURES = FEATURE_NAMES[:4]
"""Those that are stored unless others are asked for."""

NOTE_FEATURES = FEATURE_NAMES[2:]
"""Those that are made from labels."""

SPLITS = ("train", "validation", "test")

FORMATS = ("tfrecord", "hdf5")

PRESET_NAMES = ("librosa", "melnet")
"""The names of `features.PRESETS`."""
