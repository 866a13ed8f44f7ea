"""Methods beyond losses: correction, selection and weighting of labels, teachers, schedules.

A config lists them as ``methods = [dict(type="WarmUp"), ...]``; docs/methods.md says which there
are. In a loop of your own call the steps of :class:`Method` in their order.
"""

from segnoise.methods.abstention import Abstention
from segnoise.methods.adele import ADELE
from segnoise.methods.base import METHODS, Method
from segnoise.methods.class_balanced import ClassBalanced
from segnoise.methods.co_teaching import CoTeaching
from segnoise.methods.mean_teacher import MeanTeacher
from segnoise.methods.missing_objects import MissingObjects
from segnoise.methods.object_balanced import ObjectBalanced
from segnoise.methods.object_teacher import ObjectTeacher
from segnoise.methods.small_loss import SmallLoss
from segnoise.methods.warm_up import WarmUp

__all__ = [
    "ADELE",
    "METHODS",
    "Abstention",
    "ClassBalanced",
    "CoTeaching",
    "MeanTeacher",
    "Method",
    "MissingObjects",
    "ObjectBalanced",
    "ObjectTeacher",
    "SmallLoss",
    "WarmUp",
]
