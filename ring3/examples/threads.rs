//! Reads the first namespace with a queue pair a thread: `threads [PCI ADDRESS]`.
//! Without an address it is the model.

use std::thread;

use anyhow::{Context, Result};
use kit::device::Device;
use ring3::dma::Arena;
use ring3::nvme::{Clock, FunctionSession, ModelSession, QueueSession, Session};

/// Threads, and the blocks that each reads.
const THREADS: u16 = 3;
const BLOCKS: u64 = 1024;

fn read<D, C>(mut session: Session<D, C>) -> Result<u64>
where
    D: Device<Dma = Arena>,
    C: Clock + Clone + Send,
{
    let namespace = *session
        .namespaces()
        .values()
        .next()
        .context("no namespace")?;
    let queues: Vec<_> = std::iter::from_fn(|| session.lend()).collect();
    thread::scope(|scope| {
        let start = |(turn, mut queue): (usize, QueueSession<D, C>)| {
            scope.spawn(move || -> Result<u64> {
                let mut bytes = vec![0; namespace.block_size() as usize];
                for block in 0..BLOCKS {
                    let block = (turn as u64 * BLOCKS + block) % namespace.blocks;
                    queue.read(namespace.number, block, &mut bytes)?;
                }
                Ok(BLOCKS)
            })
        };
        let threads: Vec<_> = queues.into_iter().enumerate().map(start).collect();
        session.attend(|| threads.iter().any(|thread| !thread.is_finished()));
        let ends = threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic"));
        ends.sum()
    })
}

fn main() -> Result<()> {
    let blocks = match std::env::args().nth(1) {
        // One pair is left to the session.
        Some(address) => read(FunctionSession::open(address.parse()?, THREADS + 1, false)?),
        None => read(ModelSession::model(THREADS + 1)?),
    };
    println!("{} blocks were read", blocks?);
    Ok(())
}

#[test]
fn it_runs_on_the_model() -> Result<()> {
    let blocks = read(ModelSession::model(THREADS + 1)?)?;
    assert_eq!(blocks, u64::from(THREADS) * BLOCKS);
    Ok(())
}
