"""Attacks on the sandbox, one per entry, each with the setting in which it is known to work.

An attack is Python code that runs in a process of its own: first without the sandbox, where it must
call `won`, then in the sandbox, where it must not. `H` describes its targets on the host (see
`attack_host.py`). It calls `absent` if the kernel of this machine lacks the feature it attacks.
`row` is its number in the list of 29 attacks that the first design was measured against, or 0.
"""

from __future__ import annotations

from dataclasses import dataclass

ALL_LEVELS = ("isolated", "restricted")


@dataclass(frozen=True, slots=True)
class Attack:
    """Attack that is tried in a process."""

    row: int
    name: str
    code: str
    control: str = "none"
    """Setting in which it works: `none` (no sandbox) or `naive` (see `attack_host.py`)."""
    shown_by: str = "root user"
    """Accounts for which it works there; in the sandbox it is tried as every account."""
    levels: tuple[str, ...] = ALL_LEVELS
    """Isolation levels that must stop it."""


TOOLS = """
import ctypes, errno, stat, struct, subprocess, time, signal
libc = ctypes.CDLL(None, use_errno=True)
X86 = os.uname().machine == "x86_64"
def call(numbers, *values):
    "Call the kernel by numbers for x86-64 and aarch64; return the result, or minus the errno."
    words = [ctypes.c_long(value) if isinstance(value, int) else value for value in values]
    result = libc.syscall(numbers[0 if X86 else 1], *words)
    return result if result >= 0 else -ctypes.get_errno()
def check_result(result, *what):
    "Report a win if the call succeeded, and its absence if this kernel does not have it."
    if result >= 0: won(result, *what)
    elif result in (-errno.ENOSYS, -errno.EOPNOTSUPP, -errno.EAFNOSUPPORT):
        absent(errno.errorcode[-result])
    else: raise OSError(-result, os.strerror(-result))
def check_permitted(result):
    "Report a win if the call was not refused, even if its arguments were invalid."
    if result < 0 and -result in (errno.EPERM, errno.EACCES): raise OSError(-result, "refused")
    if result == -errno.ENOSYS: absent("ENOSYS")
    else: won(result)
"""

_FILES = [
    Attack(5, "read a private key", "won(open(H['secret']).read())"),
    Attack(5, "read the list of accounts", "won(open('/etc/passwd').read(20))"),
    Attack(
        5,
        "list files of others in the folder for temporary files",
        "won(os.listdir(H['root']))",
    ),
    Attack(5, "read the settings of the machine", "won(os.listdir('/sys/class'))"),
    Attack(
        5,
        "read another home folder",
        "found = [p for p in ('/root', '/home', H['root']) if os.path.isdir(p) and os.access(p, 4) "
        "and set(os.listdir(p)) - {'.pyenv', '.cache', '.local'}]\n"
        "if found: won(found, [os.listdir(p)[:3] for p in found])",
    ),
    Attack(
        6,
        "change the libraries",
        "path = os.path.join(H['prefix'], 'starchat-was-here')\nopen(path, 'w').close()\n"
        "os.unlink(path); won(path)",
        shown_by="root",
    ),
    Attack(
        6,
        "change a program of the system",
        "path = '/usr/share/starchat-was-here'\nopen(path, 'w').close()\n"
        "os.unlink(path); won(path)",
        shown_by="root",
    ),
    Attack(
        6,
        "change a file that was attached",
        "path = 'given.txt' if os.path.exists('given.txt') else os.path.join(H['work'], 'given')\n"
        "open(path, 'w').write('CHANGED'); won(open(path).read())",
    ),
    Attack(
        7,
        "write where no size limit is set",
        "for folder in ('/', '/dev', '/run', '/etc', '/dev/pts', '/proc'):\n"
        "    try: open(folder + '/starchat-big', 'wb').write(b'x' * 2**20)\n"
        "    except OSError: continue\n"
        "    os.unlink(folder + '/starchat-big'); won(folder)",
        control="naive",
    ),
    Attack(
        8,
        "fill the folders in memory",
        "import contextlib\n"
        "for folder in ('/tmp', '/home', '/dev/shm', os.environ.get('TMPDIR', '/tmp')):\n"
        "    size, made = 0, []\n"
        "    with contextlib.suppress(OSError):\n"
        "        while size < 24 * 2**20:\n"
        "            made.append(f'{folder}/{len(made)}-starchat')\n"
        "            with open(made[-1], 'wb') as file: size += file.write(b'x' * 2**20)\n"
        "    for path in made:\n"
        "        with contextlib.suppress(OSError): os.unlink(path)\n"
        "    if size > 16 * 2**20: won(folder, size)",
        control="naive",
        levels=("isolated",),
    ),
    Attack(
        8,
        "write one file without end",
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "with open('endless', 'wb') as file:\n"
        "    for _ in range(24): file.write(b'x' * 2**20)\n"
        "os.unlink('endless'); won()",
    ),
    Attack(
        9,
        "fill the folder of the code with many files",
        "import contextlib\nsize, made = 0, []\n"
        "with contextlib.suppress(OSError):\n"
        "    for at in range(24):\n"
        "        made.append(f'many{at}')\n"
        "        with open(made[-1], 'wb') as file: size += file.write(b'x' * 2**20)\n"
        "for path in made:\n"
        "    with contextlib.suppress(OSError): os.unlink(path)\n"
        "if size > 16 * 2**20: won(size)",
        levels=("isolated",),
    ),
    Attack(
        0,
        "read through a symbolic link made inside",
        "os.symlink(H['secret'], 'link'); won(open('link').read()); os.unlink('link')",
    ),
    Attack(
        0,
        "make a hard link to a secret",
        "os.link(H['secret'], os.path.join(H['work'], 'hard'))\n"
        "os.unlink(os.path.join(H['work'], 'hard')); won()",
    ),
    Attack(
        0,
        "make a secret readable for others",
        "os.chmod(H['secret'], 0o644); os.chmod(H['secret'], 0o600); won()",
    ),
    Attack(
        0,
        "change the mode of the libraries through a descriptor",
        "folder = os.open(H['prefix'], os.O_RDONLY)\n"
        "os.fchmod(folder, stat.S_IMODE(os.fstat(folder).st_mode)); won()",
        shown_by="root",
    ),
    Attack(0, "change the times of a secret", "os.utime(H['secret'], (0, 0)); won()"),
    Attack(0, "change the owner of a secret", "os.chown(H['secret'], H['uid'], -1); won()"),
    Attack(
        0,
        "truncate a file by its path",
        "path = os.path.join(H['root'], 'program'); size = os.stat(path).st_size\n"
        "os.truncate(path, size); won()",
    ),
    Attack(
        0,
        "set an attribute of a file",
        "try: os.setxattr(H['program'], 'user.starchat', b'x')\n"
        "except OSError as error:\n"
        "    if error.errno != errno.EOPNOTSUPP: raise\n"
        "    absent('this file system has no attributes')\n"
        "else: won()",
    ),
    Attack(
        0,
        "rename and remove the user's files",
        "path = os.path.join(H['root'], 'program')\nos.rename(path, path + '2')\n"
        "os.rename(path + '2', path); won()",
    ),
    Attack(
        0,
        "watch what the user does with a file",
        "won(call((254, 27), call((294, 26), 0), H['secret'].encode(), 0xFFF)) "
        "if call((254, 27), call((294, 26), 0), H['secret'].encode(), 0xFFF) > 0 else 1 / 0",
    ),
    Attack(
        0,
        "reach a file by its number instead of its path",
        "handle = ctypes.create_string_buffer(struct.pack('Ii', 128, 0), 136)\n"
        "mount = ctypes.c_int()\n"
        "where = call((303, 264), -100, H['secret'].encode(), handle, ctypes.byref(mount), 0)\n"
        "if where < 0: raise OSError(-where, 'name_to_handle_at')\n"
        "fd = os.open(os.path.dirname(H['root']), os.O_RDONLY)\n"
        "found = call((304, 265), fd, handle, 0)\n"
        "check_result(found, os.read(found, 99) if found >= 0 else '')",
        shown_by="root",
    ),
    Attack(
        0,
        "read the disk itself",
        "disks = ('vd', 'sd', 'nvme', 'loop', 'mem')\n"
        "names = [name for name in os.listdir('/dev') if name.startswith(disks)]\n"
        "for name in names:\n"
        "    try: won(name, os.close(os.open('/dev/' + name, os.O_RDONLY)))\n"
        "    except OSError: pass\n"
        "if not names: absent('no disk is visible even without a sandbox')",
        shown_by="root",
    ),
    Attack(
        0,
        "gain privileges with a setuid program",
        "won(libc.prctl(39, 0, 0, 0, 0)) if libc.prctl(39, 0, 0, 0, 0) == 0 else 1 / 0",
    ),
    Attack(
        0,
        "take over a descriptor that was left open",
        "found = []\nfor fd in range(3, 64):\n"
        "    if fd == out: continue\n"
        "    try:\n"
        "        if os.pread(fd, 10, 0) == b'HOSTSECRET': found.append(fd)\n"
        "    except OSError: pass\n"
        "if found: won(found)",
    ),
    Attack(
        0,
        "list the descriptors in /proc/self/fd",
        "names = os.listdir('/proc/self/fd')\n"
        "paths = [f'/proc/self/fd/{name}' for name in names]\n"
        "won([os.readlink(path) for path in paths if os.path.exists(path)])",
    ),
    Attack(
        0,
        "read the stdin of StarChat",
        "data = os.read(0, 99)\nif data: won(data)",
    ),
    Attack(
        0,
        "leave a core dump",
        "import resource\nhard = resource.getrlimit(resource.RLIMIT_CORE)[1]\n"
        "if hard == 0: raise OSError('core dumps are disabled')\n"
        "resource.setrlimit(resource.RLIMIT_CORE, (hard, hard)); won(hard)",
    ),
]

_SHARED = [
    Attack(
        0,
        "send to a socket of the system from a pair of datagram sockets",
        "import socket\nreached = []\n"
        "for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):\n"
        "    try:\n"
        "        pair = socket.socketpair(socket.AF_UNIX, kind)\n"
        "        pair[0].sendto(b'out', H['datagram']); reached.append(kind)\n"
        "    except OSError: pass\n"
        "if reached: won(reached)",
    ),
    Attack(
        0,
        "connect a datagram socket of a pair to a socket of the system",
        "import socket\npair = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
        "pair[0].connect(H['datagram']); won(pair[0].send(b'out'))",
    ),
    Attack(
        0,
        "pin memory in a pipe",
        "import mmap\nreading, writing = os.pipe()\n"
        "page = mmap.mmap(-1, 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)\n"
        "held = ctypes.addressof(ctypes.c_char.from_buffer(page))\n"
        "check_result(call((278, 75), writing, struct.pack('QQ', held, 4096), 1, 0))",
    ),
    Attack(
        0,
        "make a pipe hold a megabyte",
        "import fcntl\nreading, writing = os.pipe()\n"
        "size = fcntl.fcntl(writing, 1031, 2**20)\n"
        "if size >= 2**20: won(size)",
    ),
    Attack(
        0,
        "make a socket hold megabytes",
        "import socket\npair = socket.socketpair()\n"
        "before = pair[0].getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)\n"
        "pair[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * before)\n"
        "after = pair[0].getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)\n"
        "if after > before: won(before, after)\n"
        "else: absent('the system allows no more')",
    ),
    Attack(
        0,
        "fill the kernel with rules that are never enforced",
        "check_result(call((444, 444), struct.pack('QQ', 4, 0), 8, 0))",
    ),
    Attack(
        0,
        "take the asynchronous operations of the machine",
        "context = ctypes.c_ulong()\ncheck_result(call((206, 0), 128, ctypes.byref(context)))",
    ),
    Attack(
        0,
        "take the user's watches on files",
        "check_result(call((294, 26), 0))",
    ),
    Attack(
        0,
        "take the user's watches on files by the older call",
        "check_result(call((253, 26), 0))",
    ),
    Attack(
        0,
        "take the terminals of the machine",
        "won(os.openpty())",
    ),
    Attack(
        0,
        "hold up a program that opens a file",
        "import fcntl\nopen('leased', 'w').close()\n"
        "fd = os.open('leased', os.O_RDONLY)\n"
        "fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK); won(); os.unlink('leased')",
    ),
    Attack(
        0,
        "read an attribute of a secret",
        "won(os.listxattr(H['secret']))",
    ),
    Attack(
        0,
        "read an attribute of a secret by the newer call",
        "check_result(call((465, 465), -100, H['secret'].encode(), 0, None, 0))",
    ),
]

_PRIVILEGES = [
    Attack(
        1,
        "mount /usr for writing, then change it",
        "assert libc.mount(b'none', b'/usr', None, 32 | 4096, None) == 0, ctypes.get_errno()\n"
        "open('/usr/share/starchat-escaped', 'w').close()\n"
        "os.unlink('/usr/share/starchat-escaped'); won()",
        control="naive",
        shown_by="root",
    ),
    Attack(
        1,
        "have any capability",
        "have = (ctypes.c_uint32 * 6)()\n"
        "libc.capget((ctypes.c_uint32 * 2)(0x20080522, 0), have)\n"
        "if any(have): won(list(have))",
        control="naive",
        shown_by="root",
    ),
    Attack(2, "make a user namespace", "check_result(call((272, 97), 0x10000000))"),
    Attack(
        2,
        "make a user namespace with a process",
        "pid = call((56, 220), 0x10000000 | signal.SIGCHLD, 0, 0, 0, 0)\n"
        "if pid == 0: os._exit(0)\n"
        "check_result(pid)",
    ),
    Attack(
        2,
        "make a user namespace by the newer call",
        "values = struct.pack('11Q', 0x10000000, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, 0, 0, 0)\n"
        "pid = call((435, 435), values, len(values))\n"
        "if pid == 0: os._exit(0)\n"
        "if pid == -errno.ENOSYS: raise OSError('no such call')\n"
        "check_result(pid)",
    ),
    Attack(
        0,
        "start another bubblewrap inside, with more rights",
        "ran = subprocess.run(['/usr/bin/bwrap', '--ro-bind', '/', '/', '/bin/true'])\n"
        "if ran.returncode == 0: won()",
    ),
    Attack(
        23,
        "create an io_uring, whose calls no filter sees",
        "check_result(call((425, 425), 8, bytes(120)))",
    ),
    Attack(
        23,
        "trace another process",
        "check_result(call((101, 117), 16, H['pid'], 0, 0))\ncall((101, 117), 17, H['pid'], 0, 0)",
    ),
    Attack(
        23,
        "load a program into the kernel",
        "check_permitted(call((321, 280), 0, 0, 0))",
        shown_by="root",
    ),
    Attack(
        23,
        "handle page faults of the kernel",
        "check_result(call((323, 282), 0x80000))",
        shown_by="root",
    ),
    Attack(
        23,
        "count the kernel's events",
        "check_result(call((298, 241), struct.pack('IIQ', 1, 112, 0) + bytes(96), 0, -1, -1, 0))",
        shown_by="root",
    ),
    Attack(
        22,
        "read a key of the user's session",
        "key = call((250, 219), 10, -3, b'user', b'starchat-test', 0)\n"
        "if key == -errno.ENOKEY or key == -errno.ENOSYS: absent('no keyring here')\n"
        "elif key < 0: raise OSError(-key, 'keyctl')\n"
        "else:\n"
        "    data = ctypes.create_string_buffer(64)\n"
        "    call((250, 219), 11, key, data, 64); won(data.value)",
    ),
    Attack(
        0,
        "put a key into the user's keyring",
        "check_result(call((248, 217), b'user', b'x', b'y', 1, -3))",
    ),
    Attack(
        24,
        "make a device",
        "os.mknod('disk', 0o600 | stat.S_IFBLK, 0x700); os.unlink('disk'); won()",
        shown_by="root",
    ),
    Attack(24, "change the root folder", "os.chroot('.'); won()", shown_by="root"),
    Attack(
        24,
        "read the kernel's log",
        "check_result(call((103, 116), 3, bytes(64), 64))",
        shown_by="root",
    ),
    Attack(
        24,
        "read the kernel's log as a file",
        "os.close(os.open('/dev/kmsg', os.O_RDONLY)); won()",
        shown_by="root",
    ),
    Attack(
        24,
        "trigger a restart with sysrq",
        "path = '/proc/sysrq-trigger'\n"
        "if os.path.exists(path): os.close(os.open(path, os.O_WRONLY)); won()\n"
        "else: absent('this kernel has none')",
        shown_by="root",
    ),
    Attack(24, "become another user", "os.setuid(12345); won(os.getuid())", shown_by="root"),
    Attack(
        24,
        "become root with su",
        "found = [p for p in ('/usr/bin/su', '/usr/bin/passwd', '/usr/bin/mount') "
        "if os.path.exists(p) and os.stat(p).st_mode & stat.S_ISUID]\n"
        "if not found: absent('no setuid program')\n"
        "elif libc.prctl(39, 0, 0, 0, 0) == 1: raise OSError('no_new_privs is set')\n"
        "else: won(found)",
    ),
    Attack(
        0,
        "choose what the kernel runs when a program crashes",
        "os.close(os.open('/proc/sys/kernel/core_pattern', os.O_WRONLY)); won()",
        shown_by="root",
    ),
    Attack(
        0,
        "set the clock",
        "now = time.clock_gettime(0); time.clock_settime(0, now); won()",
        shown_by="root",
    ),
    Attack(
        0,
        "rename the machine",
        "name = os.uname().nodename.encode(); check_result(call((170, 161), name, len(name)))",
        shown_by="root",
    ),
    Attack(
        0,
        "enter a namespace of the host",
        "check_result(call((308, 268), os.open(f\"/proc/{H['pid']}/ns/net\", os.O_RDONLY), 0))",
        shown_by="root",
    ),
    Attack(
        0,
        "make the addresses of programs guessable",
        "old = call((135, 92), 0xFFFFFFFF)\ncheck_result(call((135, 92), 0x0040000))\n"
        "call((135, 92), old)",
    ),
    Attack(
        0,
        "list the mounts without /proc",
        "request = struct.pack('IIQQ', 24, 0, 0xFFFFFFFFFFFFFFFF, 0)\n"
        "check_result(call((458, 458), request, ctypes.create_string_buffer(4096), 512, 0))",
    ),
    Attack(
        0,
        "make calls by the 32-bit convention",
        "import mmap\n"
        "if not X86: absent('only x86 has it')\n"
        "else:\n"
        "    # mov eax, 20 (getpid); int 0x80; ret\n"
        "    code = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=7)\n"
        "    code.write(b'\\xb8\\x14\\0\\0\\0\\xcd\\x80\\xc3')\n"
        "    pid = os.fork()\n"
        "    if not pid:\n"
        "        address = ctypes.addressof(ctypes.c_char.from_buffer(code))\n"
        "        os._exit(0 if ctypes.CFUNCTYPE(ctypes.c_int)(address)() > 0 else 1)\n"
        "    status = os.waitpid(pid, 0)[1]\n"
        "    if status == 0: won()\n"
        "    elif os.WTERMSIG(status) == signal.SIGSEGV: absent('this kernel has no 32-bit calls')",
    ),
    Attack(
        0,
        "make calls by the x32 convention",
        "result = call((0x40000000 | 39, 1 << 20))\n"
        "if result > 0: won(result)\n"
        "elif result == -errno.ENOSYS: absent('this kernel has no x32 calls')",
    ),
    Attack(
        0,
        "raise a limit again",
        "import resource\nmost = resource.getrlimit(resource.RLIMIT_NOFILE)[1]\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))\n"
        "if most > 256: won(most)\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (most * 2, most * 2)); won(most * 2)",
    ),
]

_NETWORK = [
    Attack(
        19,
        "reach a server of this machine",
        "import socket\nwith socket.create_connection(('127.0.0.1', H['port']), 10) as s:\n"
        "    won(s.recv(99))",
    ),
    Attack(
        19,
        "send a datagram",
        "import socket\nwith socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:\n"
        "    won(s.sendto(b'out', ('127.0.0.1', H['udp'])))",
    ),
    Attack(
        19,
        "fetch with urllib",
        "import urllib.request\n"
        "won(urllib.request.urlopen(f\"http://127.0.0.1:{H['port']}\", timeout=10).read())",
    ),
    Attack(
        19,
        "send a question to a name server or the cloud's metadata",
        "import socket\nhosts = (('127.0.0.53', 53), ('169.254.169.254', 80), ('1.1.1.1', 443))\n"
        "for address in hosts:\n"
        "    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect_ex(address); won(address)",
    ),
    Attack(
        19,
        "connect with another program",
        "ran = subprocess.run(['/bin/bash', '-c', "
        "f\"exec 3<>/dev/tcp/127.0.0.1/{H['port']}; cat <&3\"], capture_output=True)\n"
        "if b'HOSTSECRET' in ran.stdout: won(ran.stdout)",
    ),
    Attack(
        20,
        "reach a Unix socket by its path",
        "import socket\nwith socket.socket(socket.AF_UNIX) as s:\n"
        "    s.connect(H['unix']); won(s.recv(99))",
    ),
    Attack(
        20,
        "reach an abstract Unix socket",
        "import socket\nwith socket.socket(socket.AF_UNIX) as s:\n"
        "    s.connect('\\0' + H['abstract']); won(s.recv(99))",
    ),
    *(
        Attack(
            21 if family == 40 else 0,
            f"open a socket of the family {name}",
            f"check_result(call((41, 198), {family}, {kind}, {protocol}))"
            if family != 40
            else f"result = call((41, 198), {family}, {kind}, {protocol})\n"
            "absent('no vsock') if result == -errno.EAFNOSUPPORT else check_result(result)",
            shown_by=accounts,
        )
        for name, family, kind, protocol, accounts in (
            ("AF_VSOCK, which leaves every network namespace", 40, 1, 0, "root user"),
            ("AF_INET6", 10, 1, 0, "root user"),
            ("AF_NETLINK", 16, 3, 0, "root user"),
            ("AF_PACKET", 17, 3, 0, "root"),
            ("AF_ALG", 38, 5, 0, "root user"),
            ("raw AF_INET", 2, 3, 1, "root"),
        )
    ),
]

_PROCESSES = [
    Attack(
        3,
        "read a secret of the environment, its own or another process's",
        "import glob\nfound = {k for k, v in os.environ.items() if v == 'ENVSECRET'}\n"
        "for path in glob.glob('/proc/[0-9]*/environ'):\n"
        "    try: data = open(path, 'rb').read()\n"
        "    except OSError: continue\n"
        "    if b'ENVSECRET' in data: found.add(path)\n"
        "if found: won(found)",
        control="naive",
    ),
    Attack(
        4,
        "read the command line of the sandbox",
        "line = open('/proc/1/cmdline').read()\nif H['root'] in line: won(line)",
        control="naive",
    ),
    Attack(
        4,
        "read the mounts",
        "text = open('/proc/self/mountinfo').read()\nif 'sc-host-' in text: won(text[:200])",
        control="naive",
    ),
    Attack(24, "signal a process of the host", "os.kill(H['pid'], 0); won()"),
    Attack(
        0,
        "send a signal as the owner of a file",
        "import fcntl, socket\n"
        "a, b = socket.socketpair()\n"
        "fcntl.fcntl(a, 10, signal.SIGCONT); fcntl.fcntl(a, fcntl.F_SETOWN, H['pid'])\n"
        "fcntl.fcntl(a, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)\n"
        "if fcntl.fcntl(a, fcntl.F_GETOWN) == H['pid']: won()",
        levels=("isolated",),
    ),
    Attack(
        0,
        "lower the limits of a process of the host",
        "import resource\nwon(resource.prlimit(H['pid'], resource.RLIMIT_NOFILE))",
    ),
    Attack(
        0,
        "slow down a process of the host",
        "os.sched_setaffinity(H['pid'], os.sched_getaffinity(H['pid'])); won()",
    ),
    Attack(
        0,
        "lower the priority of a process of the host",
        "os.setpriority(os.PRIO_PROCESS, H['pid'], 19); won()",
    ),
    Attack(
        0,
        "read another process's memory",
        "local = ctypes.create_string_buffer(16)\n"
        "vector = struct.pack('PN', ctypes.addressof(local), 16)\n"
        "check_permitted(call((310, 270), H['pid'], vector, 1, vector, 1, 0))",
    ),
    Attack(
        0,
        "take a descriptor out of another process",
        "fd = call((434, 434), H['host'], 0)\n"
        "if fd < 0: raise OSError(-fd, 'pidfd_open')\n"
        "check_result(call((438, 438), fd, H['fd'], 0))",
        shown_by="root",
    ),
    Attack(
        0,
        "run a program that has no path",
        "fd = call((319, 279), b'x', 0)\n"
        "if fd < 0: raise OSError(-fd, 'memfd_create')\n"
        "os.write(fd, open('/bin/true', 'rb').read())\n"
        "won(subprocess.run([f'/proc/self/fd/{fd}'], pass_fds=[fd]).returncode)",
    ),
    Attack(
        0,
        "keep memory in anonymous files",
        "fds = [call((319, 279), b'hoard', 0) for _ in range(8)]\n"
        "if min(fds) < 0: raise OSError(-min(fds), 'memfd_create')\n"
        "won([os.write(fd, bytes(2**20)) for fd in fds])",
    ),
    Attack(
        0,
        "keep memory whose pages are given back",
        "import mmap\nhoard = mmap.mmap(-1, 2**20)\nhoard.write(b'x' * 2**20)\n"
        "hoard.madvise(mmap.MADV_DONTNEED); won(hoard[:3])",
    ),
    Attack(
        0,
        "keep memory in a mapping of a device",
        "import mmap\nhoard = mmap.mmap(os.open('/dev/zero', os.O_RDWR), 2**20)\n"
        "hoard.write(b'x' * 2**20); hoard.madvise(mmap.MADV_DONTNEED); won(hoard[:3])",
    ),
    Attack(
        0,
        "hide its memory use from the host",
        "check_result(-ctypes.get_errno() if libc.prctl(4, 0, 0, 0, 0) else 0)",
    ),
    Attack(
        0,
        "keep memory in shared segments",
        "segment = call((29, 194), 0, 2**20, 0o1600)\n"
        "check_result(segment); call((31, 195), segment, 0, 0)",
    ),
    Attack(
        0,
        "keep memory in message queues",
        "queue = call((68, 186), 0, 0o1600)\ncheck_result(queue); call((71, 187), queue, 0, 0)",
    ),
    Attack(
        0,
        "keep memory in POSIX queues",
        "queue = call((240, 180), b'starchat-test', 0o102, 0o600, 0)\n"
        "check_result(queue); call((241, 181), b'starchat-test')",
    ),
    Attack(
        14,
        "start a hundred processes",
        "made = []\n"
        "try:\n"
        "    for _ in range(100):\n"
        "        pid = os.fork()\n"
        "        if not pid: time.sleep(20); os._exit(0)\n"
        "        made.append(pid)\n"
        "    won(len(made))\n"
        "finally:\n"
        "    for pid in made: os.kill(pid, 9)\n"
        "    for pid in made: os.waitpid(pid, 0)",
        levels=("isolated",),
    ),
    Attack(
        14,
        "start a hundred threads",
        "import threading\nend = threading.Event()\nmade = []\n"
        "try:\n"
        "    for _ in range(100):\n"
        "        one = threading.Thread(target=end.wait); one.start(); made.append(one)\n"
        "    won(len(made))\n"
        "finally:\n"
        "    end.set()",
        levels=("isolated",),
    ),
]

ATTACKS = (*_FILES, *_SHARED, *_PRIVILEGES, *_NETWORK, *_PROCESSES)
