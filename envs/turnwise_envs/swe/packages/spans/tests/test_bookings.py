from spans import Calendar, free_slots


def room():
    calendar = Calendar(480, 1080, pause=10)
    calendar.book("ann", 540, 60)
    return calendar


def test_a_free_room_is_booked():
    """A booking that fits between the others is taken."""
    calendar = room()
    assert calendar.book("bob", 610, 30) is True
    assert calendar.busy_at(610) == "bob"


def test_pauses_are_kept():
    """No booking begins before the pause after another one is over."""
    assert room().book("bob", 609, 30) is False


def test_bookings_stay_within_the_hours():
    """Bookings begin when the room opens at the earliest and end when it closes at the latest."""
    calendar = room()
    assert calendar.book("bob", 479, 10) is False
    assert calendar.book("bob", 1020, 61) is False
    assert calendar.book("bob", 1020, 60) is True


def test_who_has_the_room():
    """A room is busy from the first minute of a booking until before its last."""
    calendar = room()
    assert [calendar.busy_at(minute) for minute in (539, 540, 599, 600)] == ["", "ann", "ann", ""]


def test_the_first_free_time():
    """The earliest time for a meeting lies after the bookings that leave too little room."""
    assert room().first_free(60) == 610
    assert room().first_free(50) == 480


def test_common_free_time():
    """Slots are free in every room."""
    other = Calendar(500, 700)
    other.book("cat", 650, 50)
    assert free_slots([room(), other]) == [(500, 540), (600, 650)]
