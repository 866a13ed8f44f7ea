"""What a person looks at: checks of a data set, comparisons of masks, pictures, galleries."""

from segnoise.inspection.check import DatasetCheck, check_dataset
from segnoise.inspection.contact_sheet import contact_sheet

__all__ = ["DatasetCheck", "check_dataset", "contact_sheet"]
