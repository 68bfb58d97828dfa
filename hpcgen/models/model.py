"""What every model is."""


class Model:
    """Players, and their gradients over one lane.

    A model is made from its options and the data's `Schema`; it raises InputError where these do not suit each other. theta
    maps each player to its `Vector`, a batch is a `Batch`. `NETWORKS` maps the names of its networks to the type of the [model]
    table and the preset's values. `layouts` has a `Layout` a player; `units` and `input_units` encode the data's samples and
    inputs for the model and decode the model's samples; `limits` bounds the numbers of players (see `Player`).
    """

    players = ()
    # The players of a step in order, each with the number of the batch that it takes.
    turns = ()
    input_units = None
    limits = {}
    # What samples are made from: "noise", "inputs", or None where there are none.
    source = "noise"
    # Labels run from 0 to classes - 1 where samples are made for a label.
    classes = 0

    def initialize(self, player, theta, random):
        """Fill a player's parameters and running statistics."""
        raise NotImplementedError

    def noise(self, random, size):
        """Return what a batch's samples are made from: an array (size, ...) of float32."""
        raise NotImplementedError

    def gradient(self, player, theta, batch, grad):
        """Write sums over the batch into all of `grad`: derivatives of the player's loss, and its statistics."""
        raise NotImplementedError

    def sample(self, theta, batch):
        """Return samples (size, *sample_shape) in the model's units, made from the batch's noise, inputs or labels."""
        raise NotImplementedError
