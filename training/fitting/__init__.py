"""What surrounds `model.fit` in `train`: batches, callbacks, checkpoints, and TensorBoard.

Everything random in a step is a function of the run's seed and the step's number, and so is the
order of the windows. A checkpoint is thus a model with its optimizer and the number of its step.
"""
