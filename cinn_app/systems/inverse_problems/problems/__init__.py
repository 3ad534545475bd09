"""The built-in problems: modules of the form that :mod:`cinn_app.systems.inverse_problems.problem` describes."""
