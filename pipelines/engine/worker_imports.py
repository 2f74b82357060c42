"""What workers import before there is work, in the server that they are forked from."""

import logging

# Beam warns of its own extras that are not installed.
logging.basicConfig(level=logging.CRITICAL)

import apache_beam.runners.portability.fn_api_runner.worker_handlers  # noqa: E402, F401

import pipelines.engine.graph  # noqa: E402, F401
