"""Reference trainers that assign credit turn by turn."""
