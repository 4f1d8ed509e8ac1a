"""The text that a container's Python is started with (`python -c`): receives programs, runs one.

It is sent, on standard input, the length of what follows (16 hexadecimal digits) and, as JSON, the
modules [name, source] in the order of their imports; the last one's `main` is called. So nothing of
it lies in the container's file system, and any image with a Python will do.
"""

import json
import os
import sys
import types


def receive(count):  # noqa: D103
    data = b""
    while len(data) < count:
        part = os.read(0, count - len(data))
        if not part:
            os._exit(0)
        data += part
    return data


if sys.version_info < (3, 11):  # noqa: UP036 (the image's Python, not this one)
    sys.exit("Python in the image must be 3.11 or later, it is " + sys.version.split()[0])
for name, source in json.loads(receive(int(receive(16), 16))):
    module = types.ModuleType(name)
    for i in [i for i, letter in enumerate(name) if letter == "."]:
        package = sys.modules.setdefault(name[:i], types.ModuleType(name[:i]))
        package.__path__ = []
    sys.modules[name] = module
    exec(compile(source, name, "exec"), module.__dict__)
module.main()
