"""The forms in which MusicNet is published, and how they become folders in MusicNet's layout."""
