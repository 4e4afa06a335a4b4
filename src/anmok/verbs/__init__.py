"""The verbs: one file each, the only places where rooms are put together."""
