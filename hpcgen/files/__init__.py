"""HDF5 files that are always complete. A file appears under its name only when all of it is written."""
