//! The shell: reads lines from the console and does what they say.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

pub mod audit;
pub mod command;
mod complete;
mod files;
mod jobs;
pub mod show;
pub mod why;
pub mod words;

use abi::call::{Error, want};
use abi::cap::{Kind, slot};
use command::{COMMANDS, Command, Fault};
use complete::Names;
use jobs::Jobs;
use line::{Editor, Outcome};
use rt::object::{Power, next_event};
use rt::{console, print, println, wait};
use words::{LINE_MAX, Words};

const PROMPT: &str = "nexus> ";
/// Lines that are remembered.
const HISTORY: usize = 16;
/// How long the console may take before the cell is switched off, ns.
const PATIENCE_NS: u64 = 2_000_000_000;
/// Exit code: the console is gone.
const NO_CONSOLE: usize = 1;

struct Shell {
    editor: Editor<LINE_MAX, HISTORY>,
    jobs: Jobs,
}

/// Serves the console until it is gone, or its input ends; the value is the exit code.
pub fn main() -> usize {
    let mut shell = Shell { editor: Editor::new(PROMPT), jobs: Jobs::new() };
    shell.editor.prompt(&mut console::Out::new());
    let mut buf = [0; console::READ_MAX];
    loop {
        if shell.wait().is_err() {
            return NO_CONSOLE;
        }
        match console::try_read(&mut buf) {
            Ok(len) if shell.take(&buf[..len]) => return 0,
            Ok(_) | Err(Error::Empty) => {}
            Err(_) => return NO_CONSOLE,
        }
    }
}

impl Shell {
    /// Until there is input; tells of children that end meanwhile.
    fn wait(&mut self) -> rt::Result<()> {
        loop {
            let mut list = wait::List::new();
            list.add(slot::CONSOLE_IN, want::READABLE)?;
            list.add(slot::EVENTS, want::READABLE)?;
            self.jobs.watch(&mut list);
            list.wait(None)?;
            // Ends are asked for where they happened; what is latched here is only taken.
            while next_event().is_ok() {}
            // In the midst of a line: on a line of its own, then the line again.
            if self.jobs.reap("\n") {
                self.editor.prompt(&mut console::Out::new());
            }
            if list.got(slot::CONSOLE_IN) != 0 {
                return Ok(());
            }
        }
    }

    /// Takes what was typed; `true`: the end of the input, and the cell is still on.
    fn take(&mut self, bytes: &[u8]) -> bool {
        let mut out = console::Out::new();
        for &byte in bytes {
            match self.editor.feed(byte, &mut out, &mut Names) {
                Outcome::More => continue,
                Outcome::Eof => {
                    let _ = out.flush();
                    println!();
                    Self::poweroff();
                    return true;
                }
                Outcome::Cancelled => {}
                Outcome::Line => {
                    // What the line prints comes after what was shown of it.
                    let _ = out.flush();
                    // A pasted line may be the last of many in one window.
                    rt::sys::yield_();
                    self.line();
                }
            }
            self.editor.prompt(&mut out);
        }
        false
    }

    fn line(&mut self) {
        let words = match Words::split(self.editor.line()) {
            Ok(words) => words,
            Err(words::Fault::Quote) => return println!("shell: a quote is not closed"),
            Err(words::Fault::Words) => return println!("shell: too many words"),
            Err(words::Fault::Long) => return println!("shell: the line is too long"),
        };
        match command::parse(&words) {
            Ok(command) => self.run(command, &words),
            Err(Fault::Unknown(near)) => {
                print!("{}: no such command", words.get(0).unwrap_or_default());
                match near {
                    Some(near) => println!("; did you mean `{near}`?"),
                    None => println!("; try `help`"),
                }
            }
            Err(Fault::Usage(about)) => println!("usage: {} {}", about.name, about.arguments),
            Err(Fault::Background(about)) => println!("{}: not in the background", about.name),
        }
    }

    fn run(&mut self, command: Command, words: &Words) {
        match command {
            Command::Nothing => {}
            Command::Audit => audit::run(words),
            Command::Cat => words.from(1).for_each(files::print),
            Command::Clear => print!("\x1B[H\x1B[2J"),
            Command::Echo => echo(words),
            Command::Help => help(words.get(1)),
            Command::History => {
                for (number, line) in self.editor.history.iter() {
                    println!("{number:5} {line}");
                }
            }
            Command::Blink => words.from(1).for_each(|what| self.jobs.blink(what)),
            Command::Why => words.from(1).for_each(why::tell),
            Command::Kill => words.from(1).for_each(|what| self.jobs.kill(what)),
            Command::Ls if words.len() == 1 => files::list("/"),
            Command::Ls => words.from(1).for_each(files::list),
            Command::Mem => match rt::stats::system() {
                Ok(stats) => print!("{}", show::Memory(&stats)),
                Err(e) => println!("mem: {}", rt::start::describe(e)),
            },
            Command::Poweroff => Self::poweroff(),
            Command::Ps => ps(),
            Command::Run => self.jobs.run(words),
            Command::Uptime => println!("up {}", show::Time(rt::Clock::OWN.now())),
            Command::Wait => self.jobs.wait(),
        }
    }

    /// Switches the cell off when all output has left; returns only where that is not granted.
    fn poweroff() {
        let Some(power) = rt::manifest::own_grants(Kind::POWER).next() else {
            return println!("poweroff: not permitted");
        };
        // A console that does not answer in time must not keep the cell on.
        let _ = console::sync(PATIENCE_NS);
        match Power(power.slot).off() {
            // The manifest speaks of the service; a shell that another one runs has its name only.
            Error::BadSlot => println!("poweroff: not permitted"),
            e => println!("poweroff: {}", rt::start::describe(e)),
        }
    }
}

fn echo(words: &Words) {
    let mut blank = "";
    for word in words.from(1) {
        print!("{blank}{word}");
        blank = " ";
    }
    println!();
}

fn help(of: Option<&str>) {
    match of.map(|name| (name, command::find(name))) {
        Some((name, None)) => println!("help: {name}: no such command"),
        Some((_, Some(about))) => {
            println!("usage: {} {}", about.name, about.arguments);
            println!("{}", about.text);
        }
        None => {
            for about in &COMMANDS {
                println!("{:9} {:24} {}", about.name, about.arguments, about.text);
            }
        }
    }
}

fn ps() {
    println!("{}", show::FIBER_HEAD);
    for fiber in rt::stats::fibers() {
        println!("{}", show::Fiber(&fiber));
    }
}

#[cfg(test)]
mod tests;
