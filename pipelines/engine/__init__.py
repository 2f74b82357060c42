"""Where Beam is: the graph, the runners and what they tell."""

LOCAL_RUNNER = "DirectRunner"
"""Beam's own of this name would try to download another; here it is `local_runner`'s."""
