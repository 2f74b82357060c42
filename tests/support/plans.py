"""Plans of recordings that are only described."""

from __future__ import annotations

from typing import Any

from pipelines.audio.header import AudioHeader
from pipelines.planning.plan import Plan, PlanOptions, make_plan
from pipelines.recordings.inspection import Inspected
from pipelines.recordings.source import Source
from schemas import FeatureConfig
from schemas.rejects import RejectReason
from tests.support.rejects import reject_of

CONFIG = FeatureConfig(window_frames=10, stride_frames=10, hop_length=100, sample_rate=22_050)


def wav_header(samples: int, sample_rate: int) -> AudioHeader:
    """Of a file of one channel of floats."""
    return AudioHeader(
        samples=samples,
        sample_rate=sample_rate,
        channels=1,
        encoding="FLOAT",
        big_endian=False,
        offset=44,
    )


def inspected(number: int, samples: int, group: str = "train", ok: bool = True) -> Inspected:
    name = f"{number:04d}"
    source = Source(
        recording_id=name,
        group=group,
        audio_path=f"{group}_data/{name}.wav",
        labels_path=None,
        metadata={},
    )
    frames = CONFIG.frame_count(samples)
    row: dict[str, Any] = {
        "recording_id": name,
        "path": source.audio_path,
        "status": "ok" if ok else "rejected",
    }
    wav = wav_header(samples, CONFIG.sample_rate) if ok else None
    if wav:
        facts = {"samples": samples, "sample_rate": wav.sample_rate, "channels": wav.channels}
        row |= {**facts, "frames": frames, "windows": CONFIG.window_count(frames)}
    rejects = () if ok else (reject_of(name, RejectReason.AUDIO_UNREADABLE, f"{name}: bad"),)
    return Inspected(
        source=source,
        version="v",
        header=wav,
        row=row,
        labels=None,
        inputs=(),
        rejects=rejects,
    )


def plan_of(found: list[Inspected], config: FeatureConfig = CONFIG, **changed: Any) -> Plan:
    options = {"shard_megabytes": 5 * config.window_bytes / 1e6, **changed}
    return make_plan(found, [], PlanOptions(features=config, **options))
