"""From recordings to a dataset of windows: an Apache Beam pipeline, and the parts of it.

Names are imported when they are used: the transforms need Beam, and `import pipelines` does not.
"""

from typing import TYPE_CHECKING

import musicnet_duet.own_schemas  # noqa: F401 - before anything imports schemas

if TYPE_CHECKING:
    from pipelines.engine.steps import RunConfig
    from pipelines.engine.transforms import MakeWindows, ReadRecordings, WriteShards
    from pipelines.errors import PipelineError
    from pipelines.planning.plan import PlanOptions
    from pipelines.preprocessing import PreprocessOptions, preprocess
    from pipelines.recordings.source import Source
    from pipelines.results import JobFile, PreprocessResult, Reuse
    from pipelines.reuse.earlier import EarlierDataset
    from pipelines.verification.verify import Verification, verify
else:
    from schemas.lazy import lazy_attributes

    __getattr__ = lazy_attributes(
        __name__,
        {
            "EarlierDataset": "pipelines.reuse.earlier",
            "JobFile": "pipelines.results",
            "MakeWindows": "pipelines.engine.transforms",
            "PipelineError": "pipelines.errors",
            "PlanOptions": "pipelines.planning.plan",
            "PreprocessOptions": "pipelines.preprocessing",
            "PreprocessResult": "pipelines.results",
            "ReadRecordings": "pipelines.engine.transforms",
            "Reuse": "pipelines.results",
            "RunConfig": "pipelines.engine.steps",
            "Source": "pipelines.recordings.source",
            "Verification": "pipelines.verification.verify",
            "WriteShards": "pipelines.engine.transforms",
            "preprocess": "pipelines.preprocessing",
            "verify": "pipelines.verification.verify",
        },
    )

__all__ = [
    "EarlierDataset",
    "JobFile",
    "MakeWindows",
    "PipelineError",
    "PlanOptions",
    "PreprocessOptions",
    "PreprocessResult",
    "ReadRecordings",
    "Reuse",
    "RunConfig",
    "Source",
    "Verification",
    "WriteShards",
    "preprocess",
    "verify",
]
