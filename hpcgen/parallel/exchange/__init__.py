"""Sums of lane gradients over all ranks. Each exchange has a file of its own."""

from hpcgen.parallel.exchange.allreduce import AllreduceExchange
from hpcgen.parallel.exchange.exact import ExactExchange
from hpcgen.parallel.exchange.exchange import Exchange

EXCHANGES: dict[str, type[Exchange]] = {"exact": ExactExchange, "allreduce": AllreduceExchange}
