//! What some controllers do otherwise than they say, by PCI vendor and device:
//! what this driver acts upon of the table `nvme_id_table` of Linux 7.3
//! (`drivers/nvme/host/pci.c`), whose names are beside each.

/// What is to be done otherwise for a controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quirks {
    /// CSTS.RDY means nothing until 2.3 s after CC.EN was cleared
    /// (`NVME_QUIRK_DELAY_BEFORE_CHK_RDY`).
    pub late_ready: bool,
    /// Write zeroes is not to be used, whatever it says of it
    /// (`NVME_QUIRK_DISABLE_WRITE_ZEROES`).
    pub no_write_zeroes: bool,
    /// Deallocated blocks are zero, and deallocating is how they become so
    /// (`NVME_QUIRK_DEALLOCATE_ZEROES`).
    pub deallocate_zeroes: bool,
    /// A queue has one request at a time (`NVME_QUIRK_QDEPTH_ONE`).
    pub depth_one: bool,
    /// All queues interrupt by vector 0 (`NVME_QUIRK_SINGLE_VECTOR`).
    pub single_vector: bool,
    /// Where CAP.MQES is 0, queues have 64 entries (`nvme_pci_enable`, PM1725).
    pub no_mqes: bool,
    /// Commands have 128 bytes and all queues share their identifiers, which this
    /// driver has not (`NVME_QUIRK_128_BYTES_SQES`, `NVME_QUIRK_SHARED_TAGS`).
    pub other_queues: bool,
}

const LATE_READY: Quirks = Quirks {
    late_ready: true,
    ..Quirks::NONE
};

const NO_WRITE_ZEROES: Quirks = Quirks {
    no_write_zeroes: true,
    ..Quirks::NONE
};

const DEALLOCATE_ZEROES: Quirks = Quirks {
    deallocate_zeroes: true,
    ..Quirks::NONE
};

/// Vendor, device and quirks, in the order of C's table.
const TABLE: [(u16, u16, Quirks); 28] = [
    (0x8086, 0x0953, DEALLOCATE_ZEROES), // Intel 750, P3500, P3600, P3700
    (0x8086, 0x0a53, DEALLOCATE_ZEROES), // Intel P3520
    (0x8086, 0xf1a5, NO_WRITE_ZEROES),   // Intel 600P, P3100
    (0x8086, 0x5845, NO_WRITE_ZEROES),   // QEMU with Intel's number
    (0x1bb1, 0x0100, LATE_READY),        // Seagate Nytro
    (0x1c58, 0x0003, LATE_READY),        // HGST
    (0x1c58, 0x0023, LATE_READY),        // WDC SN200
    (0x1c5f, 0x0540, LATE_READY),        // Memblaze Pblaze4
    (
        0x144d, // Samsung PM1725
        0xa821,
        Quirks {
            no_mqes: true,
            ..LATE_READY
        },
    ),
    (
        0x144d, // Samsung PM1725a
        0xa822,
        Quirks {
            no_mqes: true,
            no_write_zeroes: true,
            ..LATE_READY
        },
    ),
    (0x1987, 0x5019, NO_WRITE_ZEROES), // Phison E19
    (0x1987, 0x5021, NO_WRITE_ZEROES), // Phison E21
    (0x1c5c, 0x1504, NO_WRITE_ZEROES), // SK Hynix PC400
    (0x1c5c, 0x1d59, NO_WRITE_ZEROES), // SK Hynix BC901
    (0x15b7, 0x2001, NO_WRITE_ZEROES), // Sandisk Skyhawk
    (0x1d97, 0x2263, NO_WRITE_ZEROES), // SPCC
    (0x144d, 0xa80b, NO_WRITE_ZEROES), // Samsung PM9B1
    (0x144d, 0xa809, NO_WRITE_ZEROES), // Samsung MZALQ256HBJD
    (0x1cc4, 0x6303, NO_WRITE_ZEROES), // UMIS RPJTJ512MGE1QDY
    (0x1cc4, 0x6302, NO_WRITE_ZEROES), // UMIS RPJTJ256MGE1QDY
    (0x2646, 0x5018, NO_WRITE_ZEROES), // Kingston OM8SFP4xxxxP
    (0x2646, 0x5016, NO_WRITE_ZEROES), // Kingston OM3PGP4xxxxP
    (0x2646, 0x501a, NO_WRITE_ZEROES), // Kingston OM8PGP4xxxxP
    (0x2646, 0x501b, NO_WRITE_ZEROES), // Kingston OM8PGP4xxxxQ
    (0x2646, 0x501e, NO_WRITE_ZEROES), // Kingston OM3PGP4xxxxQ
    (0x2646, 0x502f, NO_WRITE_ZEROES), // Kingston OM3SGP4xxxxK
    (
        0x106b, // Apple, MacBook8,1
        0x2001,
        Quirks {
            depth_one: true,
            single_vector: true,
            ..Quirks::NONE
        },
    ),
    (
        0x106b, // Apple, T2 machines
        0x2005,
        Quirks {
            other_queues: true,
            ..Quirks::NONE
        },
    ),
];

impl Quirks {
    /// A controller that does as it says.
    pub const NONE: Quirks = Quirks {
        late_ready: false,
        no_write_zeroes: false,
        deallocate_zeroes: false,
        depth_one: false,
        single_vector: false,
        no_mqes: false,
        other_queues: false,
    };

    /// Those of a controller by its PCI vendor and device; none for one that is
    /// not known for any.
    pub fn of(vendor: u16, device: u16) -> Quirks {
        let known = TABLE.iter();
        let found = known.filter(|known| (known.0, known.1) == (vendor, device));
        found.map(|known| known.2).next().unwrap_or(Quirks::NONE)
    }
}
