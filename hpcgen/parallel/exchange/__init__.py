"""Sums of lane gradients over all ranks: one exchange a file."""

from hpcgen.parallel.exchange.allreduce import AllreduceExchange
from hpcgen.parallel.exchange.exact import ExactExchange
from hpcgen.parallel.exchange.exchange import Exchange

EXCHANGES: dict[str, type[Exchange]] = {"exact": ExactExchange, "allreduce": AllreduceExchange}
