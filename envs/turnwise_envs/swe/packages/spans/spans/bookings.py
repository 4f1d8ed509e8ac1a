"""Rooms booked by the minute."""

from spans.sets import difference, normal


class Calendar:
    """Bookings of one room between two times of a day, in minutes."""

    def __init__(self, opens: int, closes: int, pause: int = 0) -> None:
        self.opens = opens
        self.closes = closes
        self.pause = pause
        self.bookings: dict[str, tuple[int, int]] = {}

    def book(self, who: str, begin: int, minutes: int) -> bool:
        """Books the room, and says whether it was free; `pause` minutes lie between bookings."""
        end = begin + minutes
        if minutes <= 0 or begin < self.opens or end > self.closes or who in self.bookings:
            return False
        for first, last in self.bookings.values():
            if begin < last + self.pause and first < end + self.pause:
                return False
        self.bookings[who] = (begin, end)
        return True

    def cancel(self, who: str) -> bool:
        """Gives a booking back, and says whether there was one."""
        return self.bookings.pop(who, None) is not None

    def busy_at(self, minute: int) -> str:
        """Returns who has the room at a minute, "" for nobody."""
        for who, (begin, end) in self.bookings.items():
            if begin <= minute < end:
                return who
        return ""

    def share(self) -> float:
        """Returns the part of the opening hours that is booked, from 0 to 1."""
        booked = sum(end - begin for begin, end in self.bookings.values())
        return booked / (self.closes - self.opens)

    def first_free(self, minutes: int, after: int = 0) -> int:
        """Returns the earliest begin of a booking of this length, -1 where there is none."""
        begin = max(self.opens, after)
        for first, last in normal(list(self.bookings.values())):
            if begin + minutes + self.pause <= first:
                break
            begin = max(begin, last + self.pause)
        return begin if begin + minutes <= self.closes else -1


def free_slots(calendars: list[Calendar], least: int = 1) -> list[tuple[int, int]]:
    """Returns the spans of at least `least` minutes in which all rooms are free and open."""
    opens = max(calendar.opens for calendar in calendars)
    closes = min(calendar.closes for calendar in calendars)
    busy = [span for calendar in calendars for span in calendar.bookings.values()]
    free = difference([(opens, closes)], busy)
    return [span for span in free if span[1] - span[0] >= least]
