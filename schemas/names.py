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

TFDS_FILES = ("features.json", "dataset_info.json")
"""What TensorFlow Datasets needs to open a dataset."""

README_FILE = "README.md"
"""The dataset card of the Hugging Face Hub."""

README_START = b"---\n# Written by musicnet-duet.\n"
"""How a card of ours begins."""

CROISSANT_FILE = "croissant.json"
"""The description in MLCommons' format. It lists no other card, so that none depends on another."""

CARD_FILES = (*TFDS_FILES, README_FILE, CROISSANT_FILE)
"""Files that describe a dataset to the tools of others. A reader of ours needs none of them."""
