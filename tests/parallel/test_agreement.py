import pytest

from hpcgen.errors import DamagedError, InputError
from hpcgen.parallel.agreement import PeerError, agree, from_root


def test_nothing_happens_without_an_error(comm):
    with agree(comm):
        pass


@pytest.mark.parametrize("kind", [InputError, DamagedError])
def test_a_users_error_is_raised_everywhere(comm, kind):
    with pytest.raises(kind, match=f"from rank {comm.size - 1}$"), agree(comm):
        if comm.rank == comm.size - 1:
            raise kind(f"from rank {comm.rank}")


def test_the_lowest_failing_rank_speaks(comm):
    with pytest.raises(InputError, match="from rank 0"), agree(comm):
        raise InputError(f"from rank {comm.rank}")


def test_another_error_stays_where_it_happened(comm):
    with pytest.raises(ZeroDivisionError if comm.rank == comm.size - 1 else PeerError), agree(comm):
        if comm.rank == comm.size - 1:
            1 / 0


def test_from_root(comm):
    assert from_root(comm, lambda: comm.rank) == 0
    with pytest.raises(InputError, match="root"):
        from_root(comm, _fail)


def _fail():
    raise InputError("root")
