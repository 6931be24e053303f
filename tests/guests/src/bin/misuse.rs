//! `misuse NAME`: does one thing that a program must not do with its own domain, or to another one.
#![no_std]
#![no_main]

use core::arch::asm;
use core::fmt::Write;
use core::ptr::{read_volatile, with_exposed_provenance, with_exposed_provenance_mut};
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use abi::cap::slot;
use abi::pledge::{RPATH, STDIO};
use abi::systable::SysTable;
use rt::object::Wanted;
use rt::{Channel, Factory, println};

rt::entry!(main, kdl: r#"
name "misuse"
kind "npk"
energy 50
pledge "STDIO" "RPATH" "EXEC"
stack "16K"
fibers 2
"#);

/// `ret`.
const RET: u32 = 0xD65F_03C0;
/// What other domains must not reach.
const SECRET: u64 = 0x5EC2_E75E_C2E7_5EC2;

static DATA: AtomicU32 = AtomicU32::new(RET);
static KEPT: AtomicU64 = AtomicU64::new(SECRET);

unsafe extern "C" {
    static __image_end: u8;
}

fn main() -> usize {
    let name = rt::args().next().unwrap_or_default();
    match name {
        "nothing" => return 0,
        "write-text" => write(_start as *const () as usize),
        "write-rodata" => write(SECRETS.as_ptr().expose_provenance()),
        "execute-stack" => {
            let code = [RET; 4];
            call(code.as_ptr().expose_provenance());
        }
        "execute-data" => call(DATA.as_ptr().expose_provenance()),
        "jump-null" => call(0),
        "jump-odd" => call(main as *const () as usize + 2),
        "stack-overflow" => overflow(),
        "exclusive-misaligned" => exclusive(),
        "panic" => panic!("on purpose"),
        "spin" => spin(),
        "pledge-files" => drop_and_use(!RPATH, || rt::fs::stat("/Boot").map(drop)),
        "pledge-console" => drop_and_use(!STDIO, || Channel(slot::CONSOLE_OUT).ring()),
        "read-domain" => return attacked("read"),
        "write-domain" => return attacked("write"),
        "fault-fiber" => fault_fiber(),
        _ => {
            println!("misuse: there is no {name}");
            return 2;
        }
    }
    println!("misuse: {name} survived");
    0
}

static SECRETS: [u64; 2] = [SECRET; 2];

fn write(at: usize) {
    println!("misuse: at {at:#x}");
    // SAFETY: none; the kernel must end the domain before anything is written.
    unsafe { with_exposed_provenance_mut::<u64>(at).write_volatile(0) };
}

fn call(at: usize) {
    println!("misuse: at {at:#x}");
    // SAFETY: none; the kernel must end the domain at the fetch.
    let function = unsafe { core::mem::transmute::<usize, extern "C" fn()>(at) };
    function();
}

/// Down to the guard page, which follows the image, as there is no heap.
fn overflow() {
    println!("misuse: at {:#x}", (&raw const __image_end) as usize);
    // SAFETY: none; the kernel must end the domain when it reaches the guard page.
    unsafe { asm!("1: str xzr, [sp, #-16]!", "b 1b", options(noreturn)) };
}

fn exclusive() {
    let words = [0u64; 4];
    let at = words.as_ptr().expose_provenance() & !15;
    // Across 16 bytes, which not even FEAT_LSE2 allows (Arm ARM DDI 0487, B2.2.1).
    println!("misuse: at {:#x}", at + 12);
    // SAFETY: reads the array, or faults.
    unsafe { asm!("ldxr {}, [{}]", out(reg) _, in(reg) at + 12) };
}

fn spin() {
    // SAFETY: touches nothing.
    unsafe { asm!("1: b 1b", options(noreturn)) };
}

fn drop_and_use(keep: u64, attempt: fn() -> rt::Result<()>) {
    if attempt().is_err() || rt::pledge::narrow(keep).is_err() {
        println!("misuse: cannot begin");
        rt::sys::exit(3);
    }
    let _ = attempt();
    // Whoever gets here may have lost the console.
    rt::sys::exit(4);
}

/// A second fiber that faults takes the whole domain along.
fn fault_fiber() {
    extern "C" fn null(_: *const u8, _: usize, _: *const SysTable) -> ! {
        // SAFETY: none; the kernel must end the domain.
        let _ = unsafe { read_volatile(with_exposed_provenance::<u64>(16)) };
        rt::sys::exit(5);
    }
    if Factory::OWN.fiber(null, 0, &[]).is_err() {
        rt::sys::exit(3);
    }
    let _ = rt::wait::one(slot::CLOCK, abi::call::want::EVENT, None);
}

/// Another domain reads or writes a secret of this one; what became of it, and of the secret.
fn attacked(how: &str) -> usize {
    let at = KEPT.as_ptr().expose_provenance();
    println!("misuse: at {at:#x}");
    let mut args = [0; 64];
    let mut text = Text { to: &mut args, len: 0 };
    let written = write!(text, "{how}\0{at:#x}\0");
    let len = text.len;
    let wanted = Wanted { energy: 10, ..Wanted::default() };
    let child = Factory::OWN.image("touch", &args[..len], wanted);
    let end = child.and_then(rt::Fiber::end);
    if let (Ok(()), Ok(end)) = (written, end) {
        println!("attacker: {}", rt::stats::Ended(&end));
    }
    let intact = KEPT.load(Ordering::Relaxed) == SECRET;
    println!("misuse: {}", if intact { "intact" } else { "changed" });
    usize::from(!intact)
}

/// Formats into bytes.
struct Text<'a> {
    to: &'a mut [u8],
    len: usize,
}

impl Write for Text<'_> {
    fn write_str(&mut self, s: &str) -> core::fmt::Result {
        let to = self.to.get_mut(self.len..self.len + s.len()).ok_or(core::fmt::Error)?;
        to.copy_from_slice(s.as_bytes());
        self.len += s.len();
        Ok(())
    }
}
