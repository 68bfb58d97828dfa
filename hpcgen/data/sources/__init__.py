"""What `hpcgen prepare` reads, one format a file.

A source has `rows`, `shape` (of one sample), `dtype` (uint8 or float32), `kind` ("image" or "array"), `name`, `labels` (True
where it has them) and

    read(start, stop) -> samples (stop - start, *shape), labels (stop - start,) int64 or None

so that each rank reads its own rows. A source raises InputError where its file is not what it should be.
"""
