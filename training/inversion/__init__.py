"""From a log-mel spectrogram to sound and back."""

from training.inversion.audio import audio_to_log_mel, mel_to_audio, read_audio, wav_bytes

__all__ = ["audio_to_log_mel", "mel_to_audio", "read_audio", "wav_bytes"]
