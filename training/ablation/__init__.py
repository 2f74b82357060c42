"""What hearing the waveform, the spectrogram or notes is worth: models of all conditions, compared.

Each row is a run of `train`, scored on the same frames of the same recordings as all others.
"""
