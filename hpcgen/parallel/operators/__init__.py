"""Communication as linear operators on divided samples. Each file has one operator and its adjoint."""
