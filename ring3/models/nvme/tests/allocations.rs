//! Reading and writing allocate nothing once pages are there.

#[path = "../examples/speed/host.rs"]
mod host;

use host::Host;

#[test]
fn reads_and_writes_allocate_nothing() {
    let mut host = Host::new(1024);
    let first = allocation_counter::measure(|| host.round(0x01, 32, |i| 8 * i));
    assert!(first.count_total >= 32, "a page each: {first:?}");
    for opcode in [0x01, 0x02] {
        host.round(opcode, 32, |i| 8 * i);
        let info = allocation_counter::measure(|| {
            for _ in 0..100 {
                host.round(opcode, 32, |i| 8 * i);
            }
        });
        assert_eq!(info.count_total, 0);
    }
}
