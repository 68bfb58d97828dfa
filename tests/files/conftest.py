import pytest
from stored import ATTRIBUTES, content, slabs_of

from hpcgen.files.writing import write


@pytest.fixture
def written(comm, folder, random):
    arrays = content(random)
    write(folder / "file.h5", comm, ATTRIBUTES, slabs_of(arrays, comm))
    return folder / "file.h5", arrays
