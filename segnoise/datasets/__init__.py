"""Images with masks: official layouts, a team's own folders, generated phantoms.

Every data set is a plain torch Dataset of `dict(image, mask, sample_id)`; `NoisyLabels` corrupts
its masks, `NoisyCopy` reads such masks from files, `RaterMasks` takes those that people drew,
`Transformed` augments, `TrainingStream` orders, `collate` batches; `Wrapped` makes such a data set
of another library's.
"""

from segnoise.datasets.base import SegmentationDataset
from segnoise.datasets.camvid import CamVid
from segnoise.datasets.check import DatasetCheck, check_dataset
from segnoise.datasets.cityscapes import Cityscapes
from segnoise.datasets.collate import collate
from segnoise.datasets.contact_sheet import contact_sheet
from segnoise.datasets.copy_check import verify_noisy_copy
from segnoise.datasets.copy_writer import write_noisy_copy
from segnoise.datasets.folder import FolderDataset
from segnoise.datasets.noisy_copy import NoisyCopy
from segnoise.datasets.noisy_labels import NoisyLabels
from segnoise.datasets.phantoms import Phantoms
from segnoise.datasets.problems import DatasetError, Problem
from segnoise.datasets.rater_masks import RaterMasks
from segnoise.datasets.recipes import RandomScaleCrop, ResizeFlip
from segnoise.datasets.stream import TrainingStream
from segnoise.datasets.transformed import Transformed
from segnoise.datasets.transforms import Augment, MaskNoise
from segnoise.datasets.voc import PascalVOC
from segnoise.datasets.wrapped import Wrapped
from segnoise.noise import NOISES
from segnoise.registry import Registry

DATASETS = Registry(
    "dataset",
    {cls.__name__: cls for cls in (CamVid, Cityscapes, FolderDataset, PascalVOC, Phantoms)},
)
TRANSFORMS = Registry(
    "transform", {cls.__name__: cls for cls in (Augment, RandomScaleCrop, ResizeFlip)}
)
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
    "DatasetCheck",
    "DatasetError",
    "FolderDataset",
    "MaskNoise",
    "NoisyCopy",
    "NoisyLabels",
    "PascalVOC",
    "Phantoms",
    "Problem",
    "RandomScaleCrop",
    "RaterMasks",
    "ResizeFlip",
    "SegmentationDataset",
    "TrainingStream",
    "Transformed",
    "Wrapped",
    "check_dataset",
    "collate",
    "contact_sheet",
    "verify_noisy_copy",
    "write_noisy_copy",
]
