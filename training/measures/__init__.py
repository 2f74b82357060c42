"""Measures of free-running samples: does a log-mel spectrogram behave as real music does?

All are functions of a log-mel spectrogram in dB, float32 [frames, n_mels], and its `FeatureConfig`.
"""
