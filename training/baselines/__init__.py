"""Baselines, which any model has to beat: probability masses on the grid, fitted in one pass.

All take windows as the grid indices of their valid frames, integers [frames, n_mels], and score
the frames from `scoring.SCORED_FROM` on, given those before: the same frames as any model is
scored on.
"""
