"""Orders of tasks that wait for each other."""


def order(needs: dict[str, list[str]]) -> list[str]:
    """Returns tasks so that each comes after all it needs; alphabetical where there is a choice."""
    waiting = {task: set(others) for task, others in needs.items()}
    for others in needs.values():
        for other in others:
            waiting.setdefault(other, set())
    result: list[str] = []
    while waiting:
        ready = sorted(task for task, others in waiting.items() if not others)
        if not ready:
            raise ValueError(f"these wait for each other: {', '.join(sorted(waiting))}")
        task = ready[0]
        result.append(task)
        del waiting[task]
        for left in waiting.values():
            left.discard(task)
    return result


def layers(needs: dict[str, list[str]]) -> list[list[str]]:
    """Returns groups of tasks that can be done at the same time, first group first."""
    depth: dict[str, int] = {}
    for task in order(needs):
        before = [depth[other] for other in needs.get(task, [])]
        depth[task] = max(before) + 1 if before else 0
    result: list[list[str]] = [[] for _ in range(max(depth.values()) + 1)] if depth else []
    for task in sorted(depth):
        result[depth[task]].append(task)
    return result
