"""What an input holds: its recordings, their labels and metadata, and what each file was."""
