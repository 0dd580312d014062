"""What declarations are made of, and how they become command lines."""
