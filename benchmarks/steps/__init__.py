"""Steps of training, each kind in a process of its own: ours, others' and bare products."""
