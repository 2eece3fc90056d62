//! Says what an NVMe controller is: `identify [PCI ADDRESS]`. Without an address
//! it is the model.

use anyhow::Result;
use kit::device::Device;
use ring3::dma::Arena;
use ring3::nvme::{Clock, FunctionSession, ModelSession, Session};

fn identify<D: Device<Dma = Arena>, C: Clock>(session: Session<D, C>) -> Result<()> {
    let identity = session.identity()?;
    println!("{}", String::from_utf8_lossy(&identity.model).trim());
    for namespace in session.namespaces().values() {
        let (number, blocks) = (namespace.number, namespace.blocks);
        println!(
            "namespace {number}: {blocks} blocks of {} bytes",
            namespace.block_size()
        );
    }
    Ok(())
}

fn main() -> Result<()> {
    match std::env::args().nth(1) {
        Some(address) => identify(FunctionSession::open(address.parse()?, 1, false)?),
        None => identify(ModelSession::model(1)?),
    }
}

#[test]
fn it_runs_on_the_model() -> Result<()> {
    identify(ModelSession::model(1)?)
}
