//! The command line of QEMU: one machine, the same with and without RumKV.

/// QEMU's machine, the same with and without RumKV.
pub const MACHINE: &str = "virt,virtualization=on,gic-version=3,iommu=smmuv3";

/// What of the machine can be chosen.
#[derive(Debug, Clone)]
pub struct Board {
    /// QEMU's name of the processor.
    pub cpu: String,
    /// Bytes of RAM.
    pub ram: u64,
    /// Cores.
    pub cores: u64,
    /// Consoles: 1 or 2.
    pub consoles: u64,
    /// One instruction is one nanosecond of guest time, nothing random, no host clock.
    pub counted: bool,
    /// Waits for gdb on this port before the first instruction.
    pub gdb: Option<u16>,
    /// Further arguments as they are.
    pub extra: Vec<String>,
}

impl Default for Board {
    fn default() -> Self {
        Self {
            cpu: "max".into(),
            ram: abi::boot::virt::RAM_LEN,
            cores: 1,
            consoles: 1,
            counted: false,
            gdb: None,
            extra: Vec::new(),
        }
    }
}

/// Arguments for a machine that runs `kernel` with `initrd`. QEMU finds the control channel (QMP) at
/// its descriptor 0 and the console's bytes at its descriptor 1: sockets that exist nowhere else, so
/// nothing is left in a file system. For the second console it connects to the abstract socket
/// `second`.
#[must_use]
pub fn arguments(board: &Board, kernel: &str, initrd: &str, second: Option<&str>) -> Vec<String> {
    let mut machine = String::from(MACHINE);
    if board.counted {
        // Otherwise the device tree carries fresh random seeds.
        machine += ",dtb-randomness=off";
    }
    let ram = format!("{}K", board.ram >> 10);
    let cores = board.cores.to_string();
    let mut out: Vec<String> = [
        ["-machine", machine.as_str()],
        ["-cpu", board.cpu.as_str()],
        ["-m", ram.as_str()],
        ["-smp", cores.as_str()],
        ["-kernel", kernel],
        ["-initrd", initrd],
        ["-display", "none"],
        ["-chardev", "socket,id=control,fd=0"],
        ["-mon", "chardev=control,mode=control"],
        ["-chardev", "socket,id=console,fd=1"],
        ["-serial", "chardev:console"],
        // The memory of a machine that stopped must still be there to be read.
        ["-action", "shutdown=pause,reboot=shutdown,panic=pause"],
    ]
    .concat()
    .into_iter()
    .map(String::from)
    .collect();
    if let Some(socket) = second {
        let socket = format!("socket,id=second,path={socket},abstract=on");
        out.extend(["-chardev".into(), socket, "-serial".into(), "chardev:second".into()]);
    }
    out.extend(["-nodefaults".into(), "-no-user-config".into()]);
    // Always one instruction per ns: energy is processor time, and on a shared host the time that the host's other work
    // takes would be charged to fibers and end them. Sleeping takes real time, unless figures are wanted.
    let sleep = if board.counted { "shift=0,sleep=off" } else { "shift=0,sleep=on" };
    out.extend(["-icount", sleep].map(String::from));
    if board.counted {
        out.extend(["-rtc", "base=2025-01-01T00:00:00,clock=vm"].map(String::from));
    }
    if let Some(port) = board.gdb {
        out.extend(["-gdb".into(), format!("tcp:127.0.0.1:{port}"), "-S".into()]);
    }
    out.extend(board.extra.iter().cloned());
    out
}
