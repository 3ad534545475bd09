"""The `cinn` command. Parses, calls systems, reports; knows nothing of pictures or models itself."""
