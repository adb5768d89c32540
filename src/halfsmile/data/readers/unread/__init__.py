"""Labels that lie there and are not read: how they are noticed, and what to type."""
