//! `fs mount`: serves a volume until somebody unmounts it or presses Ctrl-C.
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fuser::{BackgroundSession, Config, MountOption, Session};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::fuse::{Fuse, locked};
use super::mounted::Mounted;
use super::{Lent, failed, open};
use crate::failure::{Context, Failure};

/// How long a change may wait to become lasting.
const LASTING: Duration = Duration::from_secs(5);

/// Mounts and serves. `ready` is called when the folder shows the volume.
pub fn mount(
    image: &Path,
    folder: &Path,
    snapshot: Option<String>,
    ready: impl FnOnce() -> Result<(), Failure>,
) -> Result<(), Failure> {
    let shown = image.display().to_string();
    // FUSE's thread keeps the volume as long as the program runs, and there is one.
    let lent: &'static mut Lent = Box::leak(Box::default());
    let volume = open(image, snapshot.is_none(), lent)?;
    let mounted = Mounted::new(volume, snapshot).map_err(|e| failed(&shown, e))?;
    let read_only = mounted.read_only();
    let mounted = Arc::new(Mutex::new(mounted));
    let (ended, events) = channel();
    let fuse = Fuse::new(Arc::clone(&mounted), ended.clone());
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context(|| "take signals".into())?;
    let handle = signals.handle();
    std::thread::spawn(move || signals.forever().for_each(|_| ended.send(()).unwrap_or(())));
    let session = session(fuse, folder, &shown, read_only)?;
    ready()?;
    while events.recv_timeout(LASTING) == Err(RecvTimeoutError::Timeout) {
        locked(&mounted).sync().map_err(|e| failed(&shown, e))?;
    }
    let left = leave(session, folder);
    // Whatever became of the folder: what was written is kept.
    locked(&mounted).sync().map_err(|e| failed(&shown, e))?;
    handle.close();
    left
}

/// Mounts the folder.
fn session(
    fuse: Fuse,
    folder: &Path,
    image: &str,
    read_only: bool,
) -> Result<BackgroundSession, Failure> {
    let mut config = Config::default();
    config.mount_options = vec![
        MountOption::FSName(image.to_owned()),
        MountOption::Subtype("nexfs".into()),
        MountOption::DefaultPermissions,
        MountOption::NoAtime,
        if read_only { MountOption::RO } else { MountOption::RW },
    ];
    let session = Session::new(fuse, folder, &config).and_then(Session::spawn);
    session.map_err(|error| {
        // Without root the mount is left to a helper; that it is missing is an error of the same kind as a missing folder.
        let helper = error.kind() == std::io::ErrorKind::NotFound && folder.exists();
        let why = if !Path::new("/dev/fuse").exists() {
            "there is no /dev/fuse: this kernel has no FUSE (try `modprobe fuse`)".to_owned()
        } else if helper || error.kind() == std::io::ErrorKind::PermissionDenied {
            format!("{error}: mounting wants root, or fusermount3 (package fuse3)")
        } else {
            error.to_string()
        };
        Failure::new(format!("mount {image} on {}: {why}", folder.display()))
    })
}

/// Unmounts. A folder in use is left to those who use it; they see an error from then on.
fn leave(session: BackgroundSession, folder: &Path) -> Result<(), Failure> {
    session.umount_and_join().context(|| {
        format!("unmount {} (if it is in use, `umount -l` takes it away)", folder.display())
    })
}
