"""A scripted policy for multi-hop search: two searches, then an answer by rule."""

import re

_TITLE = re.compile(r"^\[\d+\] (.+)$", re.MULTILINE)
_YES_NO = re.compile(r"(is|are|was|were|do|does|did|has|have) ", re.IGNORECASE)


class SearchTwice:
    """Searches the question, then the best title that it does not name, and answers that title.

    Questions that ask for yes or no are answered "yes".
    """

    def __init__(self) -> None:
        self.question = ""
        self.guess = ""

    def act(self, observation, info, env):
        """Returns the next action."""
        if not self.question:
            self.question = observation.removeprefix("Question: ")
            return f"search[{self.question}]"
        if not self.guess:
            titles = _TITLE.findall(observation)
            new = [title for title in titles if title.lower() not in self.question.lower()]
            self.guess = (new or titles or ["unknown"])[0]
            return f"search[{self.guess} {self.question}]"
        return f"answer[{'yes' if _YES_NO.match(self.question) else self.guess}]"
