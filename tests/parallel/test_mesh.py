"""A mesh holds named communicators, and nothing else."""

from dataclasses import fields

from hpcgen.parallel.mesh import Mesh


def test_all_ranks_divide_the_lanes(comm):
    mesh = Mesh.of(comm)
    assert mesh.world is comm and mesh.data is comm
    assert [field.name for field in fields(mesh)] == ["world", "data"]
