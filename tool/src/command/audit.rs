//! `audit`: saved chains.
use super::print;
use crate::audit::{anchor, describe, digits, of_file, sealing_key, verify};
use crate::bundle::Key;
use crate::cli::{Audit, AuditCommand, Verify};
use crate::failure::{Context, Failure};
use crate::workspace::Workspace;
use prov::Anchor;

/// Runs the command that was named.
pub fn audit(a: &Audit) -> Result<u8, Failure> {
    match &a.command {
        AuditCommand::Verify(a) => verify_file(a),
        AuditCommand::Public { secret } => {
            print(format_args!("{}\n", digits(&Key::from_file(secret)?.public_key())))?;
            Ok(0)
        }
    }
}

fn verify_file(a: &Verify) -> Result<u8, Failure> {
    let shown = a.file.display();
    let bytes = std::fs::read(&a.file).context(|| format!("read {shown}"))?;
    let key = match &a.key {
        Some(file) => sealing_key(Some(file), "".as_ref())?,
        None => sealing_key(None, &Workspace::find()?.root)?,
    };
    let anchor = a.head.as_deref().map_or(Ok(Anchor::None), anchor)?;
    let chain = of_file(&bytes);
    let report = verify(&chain, a.from, anchor, &key);
    print(describe(&report))?;
    match report.bad {
        _ if chain.is_empty() => Err(Failure::new(format!("{shown}: there is no record in it"))),
        None => Ok(0),
        Some(bad) => Err(Failure::new(format!("{shown}: {bad}"))),
    }
}
