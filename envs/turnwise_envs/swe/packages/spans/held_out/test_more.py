from spans import Calendar, difference, free_slots, intersection, length, normal, union

A = [(0, 4), (6, 9), (15, 20)]
B = [(3, 7), (9, 10), (12, 16), (18, 25)]


def members(spans):
    return {number for begin, end in spans for number in range(begin, end)}


def test_sets_have_the_right_members():
    """Union, intersection and difference have exactly the numbers that they should have."""
    for a, b in ((A, B), (B, A), (A, A), (A, []), ([], B)):
        assert members(union(a, b)) == members(a) | members(b)
        assert members(intersection(a, b)) == members(a) & members(b)
        assert members(difference(a, b)) == members(a) - members(b)
        assert length(a + b) == len(members(a + b))


def test_results_are_in_normal_form():
    """What comes out is sorted, without empty spans, and nothing touches."""
    for result in (union(A, B), intersection(A, B), difference(A, B), normal(B + A)):
        assert result == sorted(result)
        assert all(begin < end for begin, end in result)
        assert all(x[1] < y[0] for x, y in zip(result, result[1:]))
    assert normal([(5, 2), (1, 1)]) == []


def test_several_holes():
    """Several spans can be taken away from one."""
    assert difference([(0, 10)], [(0, 2), (4, 5), (9, 12)]) == [(2, 4), (5, 9)]
    assert difference([(0, 10)], [(-5, 20)]) == []


def test_bookings_are_refused():
    """A name books once, a meeting takes time, and pauses lie before a booking as well."""
    calendar = Calendar(0, 100, pause=5)
    assert calendar.book("a", 50, 10) is True
    assert calendar.book("a", 0, 10) is False
    assert calendar.book("b", 10, 0) is False
    assert calendar.book("b", 40, 6) is False
    assert calendar.book("b", 40, 5) is True


def test_a_cancelled_booking_is_free_again():
    """After a cancellation the time can be booked; cancelling twice says there was nothing."""
    calendar = Calendar(0, 100)
    calendar.book("a", 0, 100)
    assert calendar.share() == 1.0
    assert calendar.cancel("a") is True
    assert calendar.cancel("a") is False
    assert calendar.book("b", 20, 30) is True
    assert calendar.share() == 0.3


def test_the_first_free_time_among_many():
    """The earliest time fits between bookings, after a given time, or nowhere."""
    calendar = Calendar(0, 100, pause=2)
    calendar.book("b", 50, 20)
    calendar.book("a", 10, 20)
    assert [calendar.first_free(n) for n in (8, 9, 16, 17, 28, 29)] == [0, 32, 32, 72, 72, -1]
    assert calendar.first_free(8, after=1) == 32
    assert calendar.first_free(8, after=95) == -1


def test_slots_have_a_least_length():
    """Slots shorter than asked for are left out; one of exactly that length is in."""
    calendar = Calendar(0, 60)
    calendar.book("a", 20, 10)
    assert free_slots([calendar], 20) == [(0, 20), (30, 60)]
    assert free_slots([calendar], 21) == [(30, 60)]
    assert free_slots([calendar, Calendar(10, 40)]) == [(10, 20), (30, 40)]
