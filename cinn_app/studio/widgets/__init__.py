"""What the rooms are furnished with: numbers to set, strips of pictures, colours and type."""
