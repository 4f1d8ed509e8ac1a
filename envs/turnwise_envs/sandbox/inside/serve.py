"""The first process of a sandbox: starts commands, holds them to their limits, ends their tree.

As process 1 of its PID namespace it cannot be signalled by what it starts, and its own end ends
everything inside. It ends when the trainer asks, closes the connection, or dies however it dies.
"""

import _signal
import _socket
import marshal
import math
import os
import resource
import select

import kernel
import wire

_WATCH_MS = 40
_PAGE = os.sysconf("SC_PAGESIZE")
_TICKS = os.sysconf("SC_CLK_TCK")
_SIGXCPU, _SIGXFSZ = 24, 25
_LIMITED = {_SIGXCPU: "cpu", _SIGXFSZ: "file"}
_MEBIBYTE = 1 << 20


def main(argument: str) -> None:
    """Serves until the trainer is gone; `argument` is "control,trainer", two descriptors."""
    control_fd, trainer_fd = (int(part) for part in argument.split(","))
    control = _socket.socket(fileno=control_fd)
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    os.umask(0o022)
    plan = marshal.loads(wire.receive(control)[1])
    try:
        server = Server(control, trainer_fd, plan)
    except OSError as error:
        wire.send(control, wire.FAILED, str(error).encode())
        os._exit(1)
    try:
        work = os.open(server.work, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        wire.send(control, wire.READY, fds=(work,))
        os.close(work)
        server.serve()
    except (wire.Closed, BrokenPipeError, ConnectionResetError):
        pass
    finally:
        if not server.contained:
            server.end_tree()
            _remove(plan["folders"][0])
        os._exit(0)


class Server:
    """What the first process knows of the command that is running, if one is."""

    def __init__(self, control: _socket.socket, trainer: int, plan: dict) -> None:
        self.control, self.trainer = control, trainer
        self.contained: bool = plan["contained"]
        self.work: str = plan["work"]
        self.folders: list = plan["folders"]
        # Descendants are all but this process where the PID namespace is its own.
        self.drop_to = wire.AGENT_ID if self.contained and os.getuid() == 0 else None
        self.filter = kernel.system_call_filter() if self.contained else b""
        self.child = 0
        self.limits: dict = {}
        self.reason = ""
        self.cpu_s = self.cpu_offset = 0.0
        self.peak_memory = self.peak_processes = 0
        self._secure(plan)

    def _secure(self, plan: dict) -> None:
        kernel.hide_from_tracing()
        kernel.adopt_orphans()
        if not self.contained:
            for folder in plan["folders"]:
                os.mkdir(folder, 0o700)
            return
        kernel.die_with_parent()
        if self.drop_to is not None:
            os.chown(self.work, self.drop_to, self.drop_to)
        for target, options in plan["folders"]:
            # Bubblewrap has sized it already; what it has no option for is the inode count.
            flags = kernel.MS_REMOUNT | kernel.MS_NOSUID | kernel.MS_NODEV
            kernel.mount("tmpfs", target, "tmpfs", flags, options)

    def serve(self) -> None:
        """Answers requests until the trainer is gone."""
        poller = select.poll()
        poller.register(self.control, select.POLLIN)
        poller.register(self.trainer, select.POLLIN)
        while True:
            for descriptor, _ in poller.poll(_WATCH_MS if self.child else None):
                if descriptor == self.trainer:
                    return
                if descriptor == self.control.fileno():
                    if not self._answer(poller):
                        return
                else:
                    poller.unregister(descriptor)
                    os.close(descriptor)
            if self.child and not self._reap():
                self._watch()

    def _answer(self, poller: select.poll) -> bool:
        kind, payload, fds = wire.receive(self.control)
        if kind == wire.EXIT:
            return False
        if kind == wire.RUN:
            self._start(marshal.loads(payload), fds)
            poller.register(os.pidfd_open(self.child), select.POLLIN)
        elif kind == wire.KILL and self.child:
            self._stop(payload.decode())
        elif kind == wire.MARK and self.child:
            self.cpu_offset = self._usage()[0]
        return True

    def _start(self, request: dict, fds: list[int]) -> None:
        self.limits = request["limits"]
        self.reason = ""
        self.cpu_s = self.cpu_offset = 0.0
        self.peak_memory = self.peak_processes = 0
        self.child = os.fork()
        if self.child == 0:
            self._become(request, fds)
        for descriptor in fds:
            os.close(descriptor)

    def _become(self, request: dict, fds: list[int]) -> None:
        """Turns this forked process into the command."""
        try:
            os.setsid()
            for target, descriptor in enumerate(fds):
                os.dup2(descriptor, target)
            os.closerange(3, 1 << 20)
            for number in (_signal.SIGPIPE, _SIGXFSZ):
                _signal.signal(number, _signal.SIG_DFL)
            self._lower_limits()
            if self.drop_to is not None:
                os.setgroups([])
                os.setresgid(self.drop_to, self.drop_to, self.drop_to)
                os.setresuid(self.drop_to, self.drop_to, self.drop_to)
            if self.contained:
                kernel.give_up_privileges()
                kernel.apply_filter(self.filter)
            os.chdir(request["cwd"])
            _execute(request["argv"], request["env"])
        except (OSError, ValueError) as error:
            os.write(2, f"cannot run {request['argv'][0]}: {error}\n".encode(errors="replace"))
        finally:
            os._exit(127)

    def _lower_limits(self) -> None:
        limits = self.limits
        wanted = {
            resource.RLIMIT_DATA: limits["memory_mb"] * _MEBIBYTE,
            resource.RLIMIT_FSIZE: limits["file_mb"] * _MEBIBYTE,
            resource.RLIMIT_CORE: 0,
            resource.RLIMIT_NOFILE: 1024,
            resource.RLIMIT_MEMLOCK: 1 << 16,
            resource.RLIMIT_STACK: 8 * _MEBIBYTE,
        }
        if self.contained:
            # Init itself counts where it has the same user.
            wanted[resource.RLIMIT_NPROC] = limits["processes"] + (self.drop_to is None)
        for which, value in wanted.items():
            _, hard = resource.getrlimit(which)
            value = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(which, (value, value))
        if limits["whole_run"]:
            # The watch is exact but needs /proc; this is in whole seconds and each process's own.
            soft = math.ceil(limits["cpu_s"])
            resource.setrlimit(resource.RLIMIT_CPU, (soft, soft + 1))

    def _reap(self) -> bool:
        """Collects whatever has ended; ends the run, and returns True, with its first process."""
        code = self._collect(os.WNOHANG)
        if code is None:
            return False
        self.child = 0
        self.end_tree()
        self._empty_temporary()
        reason = self.reason or _LIMITED.get(-code, "")
        cpu_s = self.cpu_s - self.cpu_offset
        sample = (code, cpu_s, self.peak_memory, self.peak_processes, reason.encode())
        wire.send(self.control, wire.ENDED, wire.STATUS.pack(*sample))
        return True

    def _collect(self, flags: int) -> int | None:
        """Waits for ended processes, and returns the first process's code if it was among them."""
        code = None
        while True:
            try:
                pid, status, usage = os.wait4(-1, flags)
            except ChildProcessError:
                return code
            if pid == 0:
                return code
            self.cpu_s += usage.ru_utime + usage.ru_stime
            self.peak_memory = max(self.peak_memory, usage.ru_maxrss * 1024)
            if pid == self.child:
                code = os.waitstatus_to_exitcode(status)

    def end_tree(self) -> None:
        """Kills every process of the sandbox but this one and waits until they are gone."""
        self._kill_tree()
        if self.contained:
            self._collect(0)
            return
        while self._descendants():
            self._collect(os.WNOHANG)
            self._kill_tree()
        self._collect(os.WNOHANG)

    def _empty_temporary(self) -> None:
        if not self.contained:
            temporary = self.folders[-1]
            _remove(temporary)
            os.mkdir(temporary, 0o700)
            return
        for target, options in self.folders:
            if target != self.work:
                kernel.unmount(target)
                flags = kernel.MS_NOSUID | kernel.MS_NODEV
                kernel.mount("tmpfs", target, "tmpfs", flags, options)

    def _stop(self, reason: str) -> None:
        self.reason = self.reason or reason
        self._kill_tree()

    def _kill_tree(self) -> None:
        targets = [-1] if self.contained else self._descendants()
        for pid in targets:
            try:
                os.kill(pid, _signal.SIGKILL)
            except ProcessLookupError:
                continue

    def _watch(self) -> None:
        """Ends a run whose processes together exceed a limit."""
        cpu_s, memory, processes = self._usage()
        self.peak_memory = max(self.peak_memory, memory)
        self.peak_processes = max(self.peak_processes, processes)
        if cpu_s - self.cpu_offset > self.limits["cpu_s"]:
            self._stop("cpu")
        elif memory > self.limits["memory_mb"] * _MEBIBYTE:
            self._stop("memory")
        elif processes > self.limits["processes"]:
            self._stop("processes")

    def _usage(self) -> tuple[float, int, int]:
        """Returns CPU seconds since the start, and bytes and threads now, over the whole tree."""
        cpu_s, memory, processes = self.cpu_s, 0, 0
        limit = self.limits["memory_mb"] * _MEBIBYTE
        pids = self._descendants()
        for pid in pids:
            fields = _stat(pid)
            if fields:
                cpu_s += sum(int(field) for field in fields[11:15]) / _TICKS
                processes += int(fields[17])
                memory += int(fields[21]) * _PAGE
        if memory > limit:
            # Resident sizes count what forked processes share once for each: look closer.
            memory = sum(_proportional(pid) for pid in pids)
        return cpu_s, memory, processes

    def _descendants(self) -> list[int]:
        try:
            pids = [int(name) for name in os.listdir("/proc") if name.isdecimal()]
        except OSError:
            return []
        if self.contained:
            return [pid for pid in pids if pid != 1]
        parents = {pid: int(fields[1]) for pid in pids if (fields := _stat(pid))}
        found = {os.getpid()}
        grown = found
        while grown:
            grown = {pid for pid, parent in parents.items() if parent in found} - found
            found |= grown
        return [pid for pid in found - {os.getpid()} if _stat(pid)[:1] not in ([], ["Z"])]


def _execute(argv: list[str], env: dict[str, str]) -> None:
    """Looks the program up and becomes it; `os.execvpe` would import a module first, every time."""
    failure: OSError = FileNotFoundError(2, "No such program")
    for folder in [""] if "/" in argv[0] else [f"{part}/" for part in env["PATH"].split(":")]:
        try:
            os.execve(folder + argv[0], argv, env)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except PermissionError as error:
            failure = error
    raise failure


def _stat(pid: int) -> list[str]:
    """Returns the fields of /proc/PID/stat after the name, or nothing for a process that ended."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return []


def _proportional(pid: int) -> int:
    """Returns the bytes of a process, each shared page divided by the processes that share it."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as file:
            for line in file:
                if line.startswith("Pss:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    fields = _stat(pid)
    return int(fields[21]) * _PAGE if fields else 0


def _remove(folder: str) -> None:
    """Removes the folder on the host's disk that a sandbox without namespaces has."""
    import shutil  # dear to import, and needed at the end of such a sandbox only

    shutil.rmtree(folder, ignore_errors=True)
