"""HDF5 files that are whole or not there."""
