"""Attempts to break out of a sandbox; none succeeds.

Every attempt is a program that runs inside and says what it reached. The expected text is what a
held attempt prints, and the sandbox must answer the next command as if nothing had been.
"""

import os
import socket
import sys
from pathlib import Path

import pytest
from sandboxes import (
    attempt,
    held,
)

from turnwise_envs.sandbox import (
    Sandbox,
    open_sandbox,
)

# Reaching the network


def test_no_address_outside_is_reached(sandbox: Sandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        port = server.getsockname()[1]
        held(
            sandbox,
            f"socket.create_connection(('127.0.0.1', {port}), 1)",
            "socket.create_connection(('1.1.1.1', 80), 1)",
            "socket.create_connection(('2606:4700:4700::1111', 80), 1)",
            "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('8.8.8.8', 53))",
            "socket.getaddrinfo('example.org', 80)",
        )
        with pytest.raises(TimeoutError):
            server.accept()


def test_no_socket_of_the_host_is_reached(sandbox: Sandbox, tmp_path: Path) -> None:
    name = f"turnwise-{os.urandom(6).hex()}"
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as abstract, socket.socket(socket.AF_UNIX) as named:
        abstract.bind(f"\0{name}")
        abstract.listen()
        named.bind(str(path))
        named.listen()
        path.chmod(0o777)
        held(
            sandbox,
            f"socket.socket(socket.AF_UNIX).connect('\\0{name}')",
            f"socket.socket(socket.AF_UNIX).connect({str(path)!r})",
        )


def test_other_families_of_sockets_do_not_exist(sandbox: Sandbox) -> None:
    held(
        sandbox,
        "socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)",
        "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
        "socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)",
        "socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET)",
        "socket.socket(31, socket.SOCK_RAW)",
    )


# Seeing or changing what is outside


def test_files_of_the_host_are_not_there(sandbox: Sandbox, tmp_path: Path) -> None:
    secret = tmp_path / "answer.txt"
    secret.write_text("42")
    secret.chmod(0o644)
    package = Path(__file__).parents[2] / "envs" / "turnwise_envs" / "core.py"
    held(
        sandbox,
        f"open({str(secret)!r})",
        f"open({str(package)!r})",
        f"open({__file__!r})",
        f"open('/proc/self/root' + {str(secret)!r})",
        f"open(os.getcwd() + '/../../../../../..' + {str(secret)!r})",
        "open('/etc/shadow')",
        "os.listdir('/sys')",
        "os.listdir('/home')",
        "os.listdir('/var')",
    )


def test_the_package_with_its_solutions_cannot_be_imported(sandbox: Sandbox) -> None:
    completed = sandbox.run([sys.executable, "-c", "import turnwise_envs.core"])
    assert "No module named 'turnwise_envs" in completed.stderr


def test_nothing_outside_is_written(sandbox: Sandbox) -> None:
    folder = os.path.dirname(os.__file__)
    held(
        sandbox,
        "open('/x', 'w')",
        "open('/usr/x', 'w')",
        "open('/usr/bin/env', 'r+b')",
        "open('/etc/passwd', 'a')",
        "open('/etc/x', 'w')",
        "open('/run/x', 'w')",
        "open('/run/turnwise/serve.py', 'a')",
        f"open({folder!r} + '/os.py', 'a')",
        f"open({sys.prefix!r} + '/x', 'w')",
        f"os.unlink({sys.executable!r})",
        "open('/dev/x', 'w')",
        "open('/proc/sys/kernel/core_pattern', 'w')",
        "open('/proc/sysrq-trigger', 'w')",
        "open('/proc/self/uid_map', 'wb', 0).write(b'0 0 1')",
        "os.rename('/usr', '/tmp/usr')",
        "os.link('/etc/passwd', '/tmp/passwd')",
        "os.mknod('/tmp/disk', 0o60666, os.makedev(8, 0))",
        "os.chroot('/tmp')",
    )


def test_the_environment_holds_nothing_of_the_trainer(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_TOKEN", "hunter2")
    assert "hunter2" not in sandbox.run(["env"]).stdout
    with open_sandbox(sandbox.isolation) as later:
        assert "hunter2" not in later.run(["sh", "-c", "env; cat /proc/*/environ"]).stdout


def test_nothing_is_inherited_but_the_three_streams(sandbox: Sandbox) -> None:
    completed = attempt(sandbox, "print(sorted(int(n) for n in os.listdir('/proc/self/fd'))[:-1])")
    assert completed.stdout == "[0, 1, 2]\n"


def test_the_first_process_and_the_trainer_cannot_be_read(sandbox: Sandbox) -> None:
    held(
        sandbox,
        "open('/proc/1/environ').read()",
        "open('/proc/1/mem', 'rb').read(1)",
        "os.listdir('/proc/1/fd')",
        "os.listdir('/proc/1/root')",
        "os.readlink('/proc/1/cwd')",
        "open('/proc/1/maps').read()",
    )
    program = "print([n for n in os.listdir('/proc') if n.isdecimal() and int(n) > 1])"
    assert len(eval(attempt(sandbox, program).stdout)) == 1  # itself


def test_the_command_is_nobody_and_stays_so(sandbox: Sandbox) -> None:
    assert attempt(sandbox, "print(os.getresuid())").stdout == "(1000, 1000, 1000)\n"
    held(sandbox, "os.setuid(0)", "os.setresuid(0, 0, 0)", "os.setgroups([0])")
    program = """
        lines = open('/proc/self/status').read().splitlines()
        status = dict(line.split(':\\t', 1) for line in lines)
        print(status['CapEff'], status['CapPrm'], status['CapInh'], status['NoNewPrivs'])
    """
    nothing = "0" * 16
    assert attempt(sandbox, program).stdout == f"{nothing} {nothing} {nothing} 1\n"


# Reaching other processes and the kernel

SYSTEM_CALLS = {
    "ptrace(ATTACH, 1)": "libc.ptrace(16, 1, 0, 0)",
    "ptrace(TRACEME)": "libc.ptrace(0, 0, 0, 0)",
    "process_vm_readv": "libc.process_vm_readv(1, 0, 0, 0, 0, 0)",
    "unshare(NEWUSER)": "libc.unshare(0x10000000)",
    "unshare(NEWNS)": "libc.unshare(0x20000)",
    "clone(NEWUSER)": "libc.syscall(56, 0x10000000 | 17, 0, 0, 0, 0)",
    "clone3": "libc.syscall(435, 0, 0)",
    "setns": "libc.setns(0, 0)",
    "mount": "libc.mount(b'none', b'/tmp', b'tmpfs', 0, None)",
    "remount": "libc.mount(b'none', b'/', None, 4128, None)",
    "umount2": "libc.umount2(b'/proc', 2)",
    "pivot_root": "libc.syscall(155, b'/tmp', b'/tmp')",
    "fsopen": "libc.syscall(430, b'tmpfs', 0)",
    "memfd_create": "libc.memfd_create(b'x', 0)",
    "shmget": "libc.shmget(0, 1 << 20, 0o1600)",
    "msgget": "libc.msgget(0, 0o1600)",
    "keyctl": "libc.syscall(250, 0, -3, 1)",
    "bpf": "libc.syscall(321, 0, 0, 0)",
    "perf_event_open": "libc.syscall(298, 0, 0, -1, -1, 0)",
    "userfaultfd": "libc.syscall(323, 0)",
    "io_uring_setup": "libc.syscall(425, 1, ctypes.create_string_buffer(120))",
    "prlimit of process 1": "libc.prlimit(1, 0, ctypes.create_string_buffer(16), None)",
    "sched_setscheduler of process 1": "libc.sched_setscheduler(1, 5, bytes(4))",
    "setpriority of process 1": "libc.setpriority(0, 1, 19)",
    "x32 calls": "libc.syscall(0x40000000 + 39)",
    "sethostname": "libc.sethostname(b'x', 1)",
    "reboot": "libc.reboot(0x89ABCDEF)",
    "personality of 32 bits": "libc.syscall(165, 0, 0, 0, 0, 0)",
}


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="numbers of x86-64")
def test_system_calls_that_reach_further_fail(sandbox: Sandbox) -> None:
    lines = [f"{call} == -1 or print({name!r})" for name, call in SYSTEM_CALLS.items()]
    completed = attempt(sandbox, "\n".join([*lines, "print('end')"]))
    assert (completed.stdout, completed.stderr) == ("end\n", "")


def test_signals_reach_neither_the_first_process_nor_the_trainer(sandbox: Sandbox) -> None:
    program = """
        for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM, signal.SIGINT):
            try:
                os.kill(1, number)
            except PermissionError:
                pass
        print("alive", flush=True)
        os.kill(%d, 0)
    """
    completed = attempt(sandbox, program % os.getpid())
    assert completed.stdout == "alive\n"
    assert completed.stderr.rstrip().endswith("No such process")


def test_no_terminal_takes_injected_input(sandbox: Sandbox) -> None:
    held(
        sandbox,
        "__import__('fcntl').ioctl(os.open('/dev/tty', os.O_RDWR), 0x5412, b'x')",
        "__import__('fcntl').ioctl(0, 0x5412, b'x')",
    )
