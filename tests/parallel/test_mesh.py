"""A mesh holds named communicators, and nothing else."""

from dataclasses import fields

from hpcgen.parallel.mesh import Mesh


def test_all_ranks_divide_the_lanes(comm):
    mesh = Mesh.of(comm)
    assert mesh.world is comm and mesh.data is comm and mesh.team.size == 1
    assert [field.name for field in fields(mesh)] == ["world", "data", "team"]
    mesh.close()


def test_a_team_has_ranks_side_by_side(comm):
    mesh = Mesh.of(comm, comm.size)
    assert mesh.team.allgather(comm.rank) == list(range(comm.size))
    mesh.close()
