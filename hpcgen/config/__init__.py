"""The run file as typed objects."""
