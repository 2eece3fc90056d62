//! Copies a file to the first namespace and back, and compares: `copy FILE [PCI
//! ADDRESS]`. **What was in the namespace is lost.** Without an address it is
//! the model.

use anyhow::{ensure, Context, Result};
use kit::device::Device;
use ring3::dma::Arena;
use ring3::nvme::{Clock, FunctionSession, ModelSession, Session};

fn copy<D: Device<Dma = Arena>, C: Clock>(file: &str, mut session: Session<D, C>) -> Result<()> {
    let namespace = *session
        .namespaces()
        .values()
        .next()
        .context("no namespace")?;
    let mut bytes = std::fs::read(file).context(file.to_string())?;
    bytes.resize(
        bytes
            .len()
            .next_multiple_of(namespace.block_size() as usize),
        0,
    );
    session.write(namespace.number, 0, &bytes)?;
    session.flush(namespace.number)?;
    let mut back = vec![0; bytes.len()];
    session.read(namespace.number, 0, &mut back)?;
    ensure!(bytes == back, "what came back is not what was written");
    println!("{} bytes went there and back", bytes.len());
    Ok(())
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().context("copy FILE [PCI ADDRESS]")?;
    match arguments.next() {
        Some(address) => copy(&file, FunctionSession::open(address.parse()?, 1, false)?),
        None => copy(&file, ModelSession::model(1)?),
    }
}

#[test]
fn it_runs_on_the_model() -> Result<()> {
    copy("Cargo.toml", ModelSession::model(1)?)?;
    assert!(copy("no such file", ModelSession::model(1)?).is_err());
    Ok(())
}
