"""The command `cinn colorize`."""
