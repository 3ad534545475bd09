"""Readers of file formats, where Pillow misreads a kind of them, does not know it, or gives up on damage."""
