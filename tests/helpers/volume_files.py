"""NIfTI files and DICOM series as other programs write them."""

import nibabel
import numpy as np
import pydicom
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid


def nifti(path, values, affine=None, **header):
    """Write (i, j, k) numbers; 1 mm RAS by default."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(values, np.eye(4) if affine is None else np.array(affine, float))
    if "slope" in header:
        image.header.set_slope_inter(header["slope"], header["inter"])
    nibabel.save(image, path)
    return path


def series(folder, values, *, gap=2.0, origin=(-5.0, -7.0, 30.0), tags=None, of_slice=None):
    """Write (D, H, W) stored numbers as files whose names and numbers are in no order.

    tags: of all files; of_slice: {number: tags of that one}. Slices go to the head.
    """
    folder.mkdir(parents=True, exist_ok=True)
    uid = generate_uid()
    order = np.random.default_rng(0).permutation(len(values))
    for number, name in enumerate(order.tolist()):
        meta = FileMetaDataset()
        meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = (
            ExplicitVRLittleEndian,
            CTImageStorage,
        )
        meta.MediaStorageSOPInstanceUID = generate_uid()
        file = pydicom.Dataset()
        file.file_meta = meta
        file.SOPClassUID, file.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
        file.SeriesInstanceUID, file.Modality, file.InstanceNumber = uid, "CT", name
        file.ImagePositionPatient = [*origin[:2], origin[2] + gap * number]
        file.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        file.PixelSpacing, file.SliceThickness = [0.5, 0.75], 5  # which is not their distance
        file.Rows, file.Columns = values.shape[1:]
        file.SamplesPerPixel, file.PhotometricInterpretation = 1, "MONOCHROME2"
        file.BitsAllocated = file.BitsStored = 16
        file.HighBit, file.PixelRepresentation = 15, int(values.dtype.kind == "i")
        file.RescaleSlope, file.RescaleIntercept = 1, -1024
        file.PixelData = values[number].tobytes()
        for tag, value in {**(tags or {}), **(of_slice or {}).get(number, {})}.items():
            setattr(file, tag, value)
        file.save_as(folder / f"IM{name:03d}", enforce_file_format=True)
    return folder
