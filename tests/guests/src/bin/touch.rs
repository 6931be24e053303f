//! `touch read|write|execute ADDRESS`: one access. Whoever survives it says so.
#![no_std]
#![no_main]

use core::ptr::{read_volatile, with_exposed_provenance, with_exposed_provenance_mut};
use rt::println;

rt::entry!(main, kdl: r#"
name "touch"
kind "npk"
energy 50
pledge "STDIO"
stack "16K"
"#);

fn main() -> usize {
    let mut words = rt::args();
    let (how, at) = (words.next(), words.next().and_then(guests::number));
    let (Some(how), Some(at)) = (how, at) else {
        println!("usage: touch read|write|execute ADDRESS");
        return 2;
    };
    match how {
        "read" => {
            // SAFETY: none; the kernel must end the domain before anything is read.
            let found = unsafe { read_volatile(with_exposed_provenance::<u32>(at)) };
            println!("touch: read {found:#x}");
        }
        "write" => {
            // SAFETY: none; the kernel must end the domain before anything is written.
            unsafe { with_exposed_provenance_mut::<u32>(at).write_volatile(0) };
            println!("touch: written");
        }
        _ => {
            // SAFETY: none; the kernel must end the domain at the fetch.
            let function = unsafe { core::mem::transmute::<usize, extern "C" fn()>(at) };
            function();
            println!("touch: executed");
        }
    }
    0
}
