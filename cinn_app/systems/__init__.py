"""One package per system. Each names its parts in ``SYSTEM``, where :mod:`cinn_app.registry` finds them."""
