//! Sockets.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use super::operation::{each, operation};

operation! {
    /// 64 bytes in at one end and out at the other.
    fn socket_pair_64(iterations) {
        let Ok((mut sender, mut receiver)) = UnixStream::pair() else { return 0 };
        let (mut sent, mut received) = ([0; 64], [0; 64]);
        let mut effect = 0;
        each!(i in iterations {
            sent[63] = (i + 1) as u8;
            effect += u64::from(
                matches!(sender.write(&sent), Ok(64))
                    && matches!(receiver.read(&mut received), Ok(64))
                    && received[63] == (i + 1) as u8,
            );
        });
        effect
    }
}
