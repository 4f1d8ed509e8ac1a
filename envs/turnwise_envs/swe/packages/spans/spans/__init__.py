"""Sets of whole numbers as half-open spans, and bookings made of them."""

from spans.bookings import Calendar, free_slots
from spans.sets import difference, intersection, length, normal, union

__all__ = ["Calendar", "difference", "free_slots", "intersection", "length", "normal", "union"]
