"""Spans (begin, end): begin belongs to it, end does not. A set is a sorted list of such pairs."""


def normal(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Sorts spans, drops empty ones, and joins those that touch or overlap."""
    result: list[tuple[int, int]] = []
    for begin, end in sorted(spans):
        if begin >= end:
            continue
        if result and begin <= result[-1][1]:
            result[-1] = (result[-1][0], max(result[-1][1], end))
        else:
            result.append((begin, end))
    return result


def union(a: list[tuple[int, int]], b: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Returns the numbers in either set."""
    return normal(a + b)


def intersection(a: list[tuple[int, int]], b: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Returns the numbers in both sets."""
    left, right = normal(a), normal(b)
    result = []
    i = j = 0
    while i < len(left) and j < len(right):
        begin = max(left[i][0], right[j][0])
        end = min(left[i][1], right[j][1])
        if begin < end:
            result.append((begin, end))
        if left[i][1] < right[j][1]:
            i += 1
        else:
            j += 1
    return result


def difference(a: list[tuple[int, int]], b: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Returns the numbers of the first set that are not in the second."""
    result = []
    holes = normal(b)
    for begin, end in normal(a):
        here = begin
        for first, last in holes:
            if last <= here or first >= end:
                continue
            if first > here:
                result.append((here, first))
            here = last
        if here < end:
            result.append((here, end))
    return result


def length(spans: list[tuple[int, int]]) -> int:
    """Returns how many numbers a set has."""
    return sum(end - begin for begin, end in normal(spans))
