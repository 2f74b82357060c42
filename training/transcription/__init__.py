"""From sound to notes: models that predict which of 128 notes sound and begin in each frame."""
