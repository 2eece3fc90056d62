//! `ringfence nvme read` and `write`: blocks of a namespace.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::path::Path;

use anyhow::{ensure, Context, Result};
use kit::device::Device;
use ring3::dma::Arena;
use ring3::nvme::{check_range, Clock, Session};
use serde_json::json;

use super::{go_on, size, stream};
use crate::args::RangeArguments;
use crate::failure::Usage;
use crate::output::Stdout;

/// Bytes that are transferred before signals are looked at.
const PIECE: u64 = 1 << 20;

/// What was done.
pub struct Summary {
    verb: &'static str,
    namespace: u32,
    block: u64,
    count: u64,
    bytes: u64,
}

impl Summary {
    /// As a line.
    pub fn line(&self) -> String {
        format!(
            "{} {} from block {} of namespace {} on",
            self.verb,
            size(self.bytes),
            self.block,
            self.namespace
        )
    }

    /// As JSON.
    pub fn json(&self) -> String {
        json!({
            "done": self.verb,
            "namespace": self.namespace,
            "block": self.block,
            "count": self.count,
            "bytes": self.bytes,
        })
        .to_string()
    }
}

/// The file that was named; `None` for stdin or stdout.
fn file(range: &RangeArguments) -> Option<&Path> {
    range.file.as_deref().filter(|path| *path != Path::new("-"))
}

/// Whether data goes to stdout or comes from stdin.
pub fn is_stream(range: &RangeArguments) -> bool {
    file(range).is_none()
}

/// Where data to write comes from, and how many bytes there are, if that is
/// known.
pub struct Source {
    name: String,
    data: File,
    length: Option<u64>,
}

/// Opens what is to be written.
///
/// # Errors
///
/// If it cannot be read.
pub fn source(range: &RangeArguments) -> Result<Source> {
    let (name, data) = match file(range) {
        None if io::stdin().is_terminal() => {
            return Err(Usage::error(
                "nothing to write: name a file, or pipe data in",
            ));
        }
        None => ("stdin".into(), duplicate(io::stdin())?),
        Some(path) => {
            let name = path.display().to_string();
            let opened = File::open(path).with_context(|| format!("{name} cannot be read"))?;
            (name, opened)
        }
    };
    let metadata = data.metadata().with_context(|| name.clone())?;
    ensure!(!metadata.is_dir(), "{name} is a folder");
    let length = (metadata.is_file() && file(range).is_some()).then_some(metadata.len());
    Ok(Source { name, data, length })
}

/// The same pipe or file, without a buffer of this process.
fn duplicate(stream: impl AsFd) -> Result<File> {
    let copy = stream.as_fd().try_clone_to_owned();
    Ok(copy.context("no file descriptor is left")?.into())
}

/// The range's blocks, in pieces: first block and bytes of each.
fn pieces(range: &RangeArguments, block_size: u64) -> impl Iterator<Item = (u64, usize)> {
    let (first, count) = (range.block, range.count);
    let step = PIECE / block_size;
    (0..count).step_by(step as usize).map(move |at| {
        let blocks = step.min(count - at);
        (first + at, (blocks * block_size) as usize)
    })
}

/// Checks a range; bytes of a block and of all of it.
fn check<D: Device<Dma = Arena>, C: Clock>(
    session: &Session<D, C>,
    range: &RangeArguments,
) -> Result<(u64, u64)> {
    let namespace = session.namespace(range.namespace)?;
    let block_size = u64::from(namespace.block_size());
    // More than fit is out of range anyway.
    let bytes = range.count.saturating_mul(block_size) / block_size * block_size;
    check_range(&namespace, range.block, bytes)?;
    Ok((block_size, bytes))
}

/// Reads a range into its file, or to stdout.
pub fn read<D: Device<Dma = Arena>, C: Clock>(
    session: &mut Session<D, C>,
    range: &RangeArguments,
) -> Result<Summary> {
    let (block_size, bytes) = check(session, range)?;
    let (name, mut to) = match file(range) {
        None => ("stdout".into(), duplicate(io::stdout())?),
        Some(path) => {
            let name = path.display().to_string();
            let made = File::create(path).with_context(|| format!("{name} cannot be written"))?;
            (name, made)
        }
    };
    let mut buffer = vec![0; PIECE as usize];
    for (block, bytes) in pieces(range, block_size) {
        go_on()?;
        let piece = &mut buffer[..bytes];
        session.read(range.namespace, block, piece)?;
        let written = stream::put(&mut to, piece);
        go_on()?;
        match is_stream(range) {
            // A reader that has gone wanted no more.
            true => written.context(Stdout)?,
            false => written.with_context(|| format!("{name} cannot be written"))?,
        }
    }
    Ok(summary("read", range, bytes))
}

/// Writes a range from its source, and has it reach the medium.
pub fn write<D: Device<Dma = Arena>, C: Clock>(
    session: &mut Session<D, C>,
    range: &RangeArguments,
    mut source: Source,
) -> Result<Summary> {
    let (block_size, bytes) = check(session, range)?;
    let name = &source.name;
    if let Some(length) = source.length {
        ensure!(
            length == bytes,
            "{name} has {length} bytes, where {} blocks of {block_size} are {bytes}",
            range.count
        );
    }
    let mut buffer = vec![0; PIECE as usize];
    for (block, bytes) in pieces(range, block_size) {
        go_on()?;
        let piece = &mut buffer[..bytes];
        let found = stream::fill(&mut source.data, piece);
        go_on()?;
        let found = found.with_context(|| format!("{name} cannot be read"))?;
        ensure!(
            found == bytes,
            "{name} ended early: blocks from {block} on were not written, those before were"
        );
        session.write(range.namespace, block, piece)?;
    }
    session.flush(range.namespace)?;
    Ok(summary("wrote", range, bytes))
}

fn summary(verb: &'static str, range: &RangeArguments, bytes: u64) -> Summary {
    Summary {
        verb,
        namespace: range.namespace,
        block: range.block,
        count: range.count,
        bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::ControllerArguments;
    use ring3::nvme::ModelSession;
    use std::fs;

    fn range(file: &Path, block: u64, count: u64) -> RangeArguments {
        RangeArguments {
            controller: ControllerArguments {
                pci: "0000:00:04.0".parse().expect("an address"),
                json: false,
            },
            namespace: 1,
            block,
            count,
            file: Some(file.to_path_buf()),
        }
    }

    #[test]
    fn what_is_written_is_read_and_nothing_beside_it_changes() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        let mut session = ModelSession::model(1)?;
        let block_size = u64::from(session.namespace(1)?.block_size());
        // More than a piece, and no whole number of them.
        let count = 2 * PIECE / block_size + 3;
        let bytes: Vec<u8> = (0..count * block_size)
            .map(|at| (at * 31 / 16) as u8)
            .collect();
        fs::write(&from, &bytes)?;
        let there = range(&from, 5, count);
        let summary = write(&mut session, &there, source(&there)?)?;
        assert_eq!(summary.bytes, bytes.len() as u64);
        read(&mut session, &range(&to, 4, count + 2))?;
        let back = fs::read(&to)?;
        let (before, rest) = back.split_at(block_size as usize);
        let (middle, after) = rest.split_at(bytes.len());
        assert!(middle == bytes);
        assert!(before.iter().chain(after).all(|byte| *byte == 0));
        Ok(())
    }

    #[test]
    fn what_does_not_fit_is_refused_and_changes_nothing() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        let mut session = ModelSession::model(1)?;
        let namespace = session.namespace(1)?;
        let block_size = namespace.block_size() as usize;
        fs::write(&from, vec![7; 2 * block_size])?;
        for (block, count, words) in [
            (0, 3, "where 3 blocks of"),
            (namespace.blocks, 1, "are not among them"),
            (namespace.blocks - 1, 2, "are not among them"),
            (u64::MAX, 2, "are not among them"),
            (0, u64::MAX, "are not among them"),
        ] {
            let range = range(&from, block, count);
            let error = write(&mut session, &range, source(&range)?).err();
            let text = error.map(|error| error.to_string()).unwrap_or_default();
            assert!(text.contains(words), "{text}");
        }
        let beyond = range(&to, namespace.blocks, 1);
        assert!(read(&mut session, &beyond).is_err() && !to.exists());
        let other = RangeArguments {
            namespace: 9,
            ..range(&to, 0, 1)
        };
        let error = read(&mut session, &other)
            .err()
            .map(|error| error.to_string());
        assert_eq!(
            error.as_deref(),
            Some("there is no namespace 9; there is 1")
        );
        let mut bytes = vec![1; 4 * block_size];
        session.read(1, 0, &mut bytes)?;
        assert!(bytes.iter().all(|byte| *byte == 0));
        Ok(())
    }
}
