"""What stands around the page: where it listens, who may read which file, what is deleted, and how it is doing."""
