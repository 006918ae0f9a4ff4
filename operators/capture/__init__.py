"""Sources: cameras, videos, images, DICOM files, arrays and synthetic scenes."""
