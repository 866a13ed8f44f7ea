"""Images with masks: official layouts, a team's own folders, generated phantoms.

Every data set is a plain torch Dataset of `dict(image, mask, sample_id)`; `NoisyLabels` corrupts
its masks, `NoisyCopy` reads such masks from files, `RaterMasks` takes those that people drew,
`Transformed` augments, `TrainingStream` orders, `collate` batches; `Wrapped` makes such a data set
of another library's.
"""

from segnoise.datasets.augmentations import (
    TRANSFORMS,
    Augment,
    MaskNoise,
    RandomScaleCrop,
    ResizeFlip,
)
from segnoise.datasets.base import DATASETS, SegmentationDataset
from segnoise.datasets.camvid import CamVid
from segnoise.datasets.cityscapes import Cityscapes
from segnoise.datasets.collate import collate
from segnoise.datasets.folder import FolderDataset
from segnoise.datasets.labels.copy_files import verify_noisy_copy, write_noisy_copy
from segnoise.datasets.labels.corrected_boundaries import CorrectedBoundaries
from segnoise.datasets.labels.noisy_copy import NoisyCopy
from segnoise.datasets.labels.noisy_labels import NoisyLabels
from segnoise.datasets.labels.rater_masks import RaterMasks
from segnoise.datasets.phantoms import Phantoms
from segnoise.datasets.problems import DatasetError, Problem
from segnoise.datasets.rasters import RasterDataset
from segnoise.datasets.stream import TrainingStream
from segnoise.datasets.transformed import Transformed
from segnoise.datasets.voc import PascalVOC
from segnoise.datasets.volumes import VolumeDataset
from segnoise.datasets.wrapped import Wrapped
from segnoise.noise import NOISES
from segnoise.registry import Registry

LABELS = Registry("noise", {"NoisyCopy": NoisyCopy, "RaterMasks": RaterMasks})
"""What a config can name as its noise: masks that lie in files, or a noise model."""
LABELS.extend(NOISES)

__all__ = [
    "DATASETS",
    "LABELS",
    "TRANSFORMS",
    "Augment",
    "CamVid",
    "Cityscapes",
    "CorrectedBoundaries",
    "DatasetError",
    "FolderDataset",
    "MaskNoise",
    "NoisyCopy",
    "NoisyLabels",
    "PascalVOC",
    "Phantoms",
    "Problem",
    "RandomScaleCrop",
    "RasterDataset",
    "RaterMasks",
    "ResizeFlip",
    "SegmentationDataset",
    "TrainingStream",
    "Transformed",
    "VolumeDataset",
    "Wrapped",
    "collate",
    "verify_noisy_copy",
    "write_noisy_copy",
]
