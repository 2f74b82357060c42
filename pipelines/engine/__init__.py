"""Where Beam is: the graph, the runners and what they tell."""

LOCAL_RUNNER = "DirectRunner"
"""The runner of this machine. What Beam has by this name would try to download another one."""

BEAM_RUNNERS = {LOCAL_RUNNER: "apache_beam.runners.portability.fn_api_runner.FnApiRunner"}
"""What Beam calls a runner, where it is not the name that users give."""
