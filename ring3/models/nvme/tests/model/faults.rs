//! Each scripted fault does what it says, and nothing else.

use std::time::Duration;

use nvme_model::{Action, Config, Corruption, Event, Rule, Script, Step};

use crate::host::*;

struct Bench {
    host: Host,
    pair: Pair,
    page: u64,
}

const SECOND: Duration = Duration::from_secs(1);

impl Bench {
    fn new() -> Self {
        let mut host = Host::new();
        let pair = host.make_pair(1, 16, 16);
        let page = host.memory.pages(2);
        let _ = host.controller.interrupts().count();
        Self { host, pair, page }
    }

    /// One that plays a script with one rule.
    fn playing(at: Event, action: Action) -> Self {
        let mut bench = Self::new();
        bench.host.controller.play(Script::one(at, action)).unwrap();
        bench
    }

    /// Three reads; their completions.
    fn three(&mut self) -> Vec<Completion> {
        for lba in 0..3 {
            self.host.write(&mut self.pair, read(lba, 1, self.page));
        }
        self.host.ring(&self.pair);
        self.host.run();
        self.reap()
    }

    fn reap(&mut self) -> Vec<Completion> {
        self.host.reap(&mut self.pair)
    }

    fn wait(&mut self) {
        self.host.wait(SECOND);
    }

    fn csts(&mut self) -> u32 {
        self.host.controller.read32(CSTS)
    }

    /// Resets; whether the controller becomes ready again in time.
    fn recovers(&mut self) -> bool {
        self.host.controller.write32(CC, 0);
        self.wait();
        if self.csts() != 0 {
            return false;
        }
        self.host.admin = Pair::new(&self.host.memory, 0, 32, 32);
        self.host.set_admin_queue();
        self.host.controller.write32(CC, CC_ENABLE);
        self.wait();
        if self.csts() != CSTS_RDY {
            return false;
        }
        self.pair = self.host.make_pair(1, 16, 16);
        self.three().len() == 3
    }
}

fn ids(completions: &[Completion]) -> Vec<u16> {
    completions.iter().map(|completion| completion.id).collect()
}

#[test]
fn drop_loses_one_completion_or_one_command() {
    let mut bench = Bench::playing(Event::Completion(2), Action::Drop);
    assert_eq!(ids(&bench.three()), [100, 102]);
    assert_eq!(ids(&bench.three()), [103, 104, 105]);

    let mut bench = Bench::playing(Event::Command(2), Action::Drop);
    bench.host.memory.set(bench.page, &[0xee; 512]);
    for _ in 0..2 {
        let page = bench.host.memory.pages(1);
        bench.host.memory.set(page, &[0xee; 512]);
        bench.host.write(&mut bench.pair, read(0, 1, page));
        bench.page = page;
    }
    bench.host.ring(&bench.pair);
    bench.wait();
    assert_eq!(ids(&bench.reap()), [100]);
    assert_eq!(bench.host.memory.get(bench.page, 512), [0xee; 512]);
}

#[test]
fn drop_loses_one_register_write() {
    let mut bench = Bench::playing(Event::RegisterWrite(1), Action::Drop);
    assert_eq!(bench.three(), []);
    assert_eq!(bench.three().len(), 6);
}

#[test]
fn drop_loses_one_interrupt() {
    let mut bench = Bench::playing(Event::Interrupt(1), Action::Drop);
    bench.host.write(&mut bench.pair, read(0, 1, bench.page));
    bench.host.ring(&bench.pair);
    bench.host.run();
    assert_eq!(bench.host.controller.interrupts().next(), None);
    assert_eq!(bench.reap().len(), 1);
    bench.three();
    assert_eq!(bench.host.controller.interrupts().next(), Some(1));
}

#[test]
fn delay_of_a_completion_moves_its_data_in_time() {
    let mut bench = Bench::playing(Event::Completion(1), Action::Delay(SECOND));
    bench.host.memory.set(bench.page, &[0xee; 512]);
    assert_eq!(ids(&bench.three()), [101, 102]);
    assert_eq!(bench.host.memory.get(bench.page, 512), [0; 512]);
    let step = bench.host.controller.step(bench.host.now);
    assert_eq!(
        step,
        Step::Idle {
            until: Some(SECOND)
        }
    );
    bench.wait();
    assert_eq!(ids(&bench.reap()), [100]);
}

#[test]
fn delay_of_a_command_moves_its_data_late() {
    let mut bench = Bench::playing(Event::Command(1), Action::Delay(SECOND));
    bench.host.memory.set(bench.page, &[0xee; 512]);
    bench.host.write(&mut bench.pair, read(0, 1, bench.page));
    bench.host.ring(&bench.pair);
    bench.host.run();
    assert_eq!(bench.reap(), []);
    assert_eq!(bench.host.memory.get(bench.page, 512), [0xee; 512]);
    bench.wait();
    assert_eq!(ids(&bench.reap()), [100]);
    assert_eq!(bench.host.memory.get(bench.page, 512), [0; 512]);
}

#[test]
fn twice_posts_a_completion_twice() {
    let mut bench = Bench::playing(Event::Completion(2), Action::Twice);
    assert_eq!(ids(&bench.three()), [100, 101, 101, 102]);
    assert_eq!(bench.host.controller.counters().completions, 2 + 4);
}

#[test]
fn again_posts_a_completion_once_more_later() {
    let mut bench = Bench::playing(Event::Completion(2), Action::Again(SECOND));
    assert_eq!(ids(&bench.three()), [100, 101, 102]);
    bench.wait();
    assert_eq!(ids(&bench.reap()), [101]);
}

#[test]
fn corrupt_changes_one_field() {
    let right = Bench::new().three()[1];
    let cases = [
        (
            Corruption::CommandId(0xffff),
            Completion {
                id: 0xffff,
                ..right
            },
        ),
        (
            Corruption::SubmissionQueue(9),
            Completion { sq_id: 9, ..right },
        ),
        (
            Corruption::Head(0x1234),
            Completion {
                sq_head: 0x1234,
                ..right
            },
        ),
        (
            Corruption::Status(0x7fff),
            Completion {
                status: 0x7fff,
                ..right
            },
        ),
        (
            Corruption::Result(77),
            Completion {
                result: 77,
                ..right
            },
        ),
    ];
    for (corruption, wrong) in cases {
        let mut bench = Bench::playing(Event::Completion(2), Action::Corrupt(corruption));
        let completions = bench.three();
        assert_eq!(completions.len(), 3);
        assert_eq!(completions[1], wrong);
        assert_eq!(completions[0].id, 100);
        assert_eq!(completions[2].id, 102);
    }
}

#[test]
fn a_wrong_phase_hides_an_entry_and_what_follows() {
    let action = Action::Corrupt(Corruption::Phase);
    let mut bench = Bench::playing(Event::Completion(2), action);
    assert_eq!(ids(&bench.three()), [100]);
    // The third is there, behind it.
    let third = bench.pair.cq + 32;
    assert_eq!(bench.host.memory.get32(third + 12), 1 << 16 | 102);
}

#[test]
fn garble_overwrites_what_the_host_is_given() {
    let mut bench = Bench::playing(Event::Command(1), Action::Garble(7));
    let first = bench.host.identify(1, 0);
    let second = bench.host.identify(1, 0);
    assert_ne!(first, second);
    assert_eq!(second[77], 7);
    let zero = first.iter().filter(|byte| **byte == 0).count();
    assert!(zero < 100, "{zero} of 4096 bytes are 0");
}

#[test]
fn a_register_reads_wrong_once() {
    let mut bench = Bench::playing(Event::RegisterRead(2), Action::ReadAs(u64::MAX));
    assert_eq!(bench.csts(), CSTS_RDY);
    assert_eq!(bench.csts(), u32::MAX);
    assert_eq!(bench.csts(), CSTS_RDY);
}

#[test]
fn stop_answers_nothing_until_a_reset() {
    let mut bench = Bench::playing(Event::Completion(2), Action::Stop);
    assert_eq!(ids(&bench.three()), [100]);
    bench.wait();
    assert_eq!(bench.three(), []);
    assert_eq!(bench.host.controller.step(bench.host.now), Step::Stopped);
    assert_eq!(bench.csts(), CSTS_RDY);
    assert!(bench.recovers());
}

#[test]
fn fatal_status_lasts_until_a_reset() {
    let mut bench = Bench::playing(Event::Command(2), Action::Fatal);
    assert_eq!(ids(&bench.three()), [100]);
    assert_eq!(bench.csts(), CSTS_RDY | CSTS_CFS);
    assert_eq!(bench.host.controller.step(bench.host.now), Step::Stopped);
    assert!(bench.recovers());
}

#[test]
fn a_removed_controller_reads_all_ones_and_leaves_memory_alone() {
    let mut bench = Bench::playing(Event::Command(2), Action::Remove);
    assert_eq!(ids(&bench.three()), [100]);
    let writes = bench.host.memory.writes();
    assert_eq!(bench.csts(), u32::MAX);
    assert_eq!(bench.host.controller.read64(CAP), u64::MAX);
    assert_eq!(bench.host.controller.read32(0x1008), u32::MAX);
    assert!(!bench.recovers());
    assert_eq!(bench.host.controller.step(bench.host.now), Step::Stopped);
    assert_eq!(bench.host.memory.writes(), writes);
}

#[test]
fn faults_come_at_their_time() {
    let mut bench = Bench::playing(Event::Time(SECOND), Action::Fatal);
    assert_eq!(
        bench.host.run(),
        Step::Idle {
            until: Some(SECOND)
        }
    );
    assert_eq!(bench.three().len(), 3);
    bench.wait();
    assert_eq!(bench.csts(), CSTS_RDY | CSTS_CFS);
}

#[test]
fn readiness_and_reset_can_fail_for_ever_or_be_late() {
    let mut bench = Bench::playing(Event::RegisterRead(1), Action::NeverReady);
    bench.csts();
    assert_eq!(bench.three().len(), 3);
    assert!(!bench.recovers());

    let mut bench = Bench::playing(Event::RegisterRead(1), Action::NeverReset);
    bench.csts();
    assert!(!bench.recovers());
    bench.host.wait(1000 * SECOND);
    assert_eq!(bench.csts(), CSTS_RDY);

    let late = Action::LateReady(3 * SECOND);
    let mut bench = Bench::playing(Event::RegisterRead(1), late);
    bench.csts();
    assert!(!bench.recovers());
    bench.wait();
    assert_eq!(bench.csts(), 0);
    bench.wait();
    bench.wait();
    assert_eq!(bench.csts(), CSTS_RDY);
    // Only once.
    assert!(bench.recovers());
}

#[test]
fn a_shutdown_can_last_for_ever() {
    let mut bench = Bench::playing(Event::RegisterWrite(1), Action::NeverShutDown);
    bench.host.controller.write32(CC, CC_ENABLE | 1 << 14);
    bench.host.run();
    bench.host.wait(1000 * SECOND);
    assert_eq!(bench.csts(), CSTS_RDY | 1 << 2);
    assert!(bench.recovers());
}

#[test]
fn interrupts_come_for_no_reason() {
    let action = Action::SpuriousInterrupt(5);
    let mut bench = Bench::playing(Event::RegisterRead(1), action);
    bench.csts();
    let raised: Vec<_> = bench.host.controller.interrupts().collect();
    assert_eq!(raised, [5]);
    assert_eq!(bench.reap(), []);
    // A vector that is not there.
    let action = Action::SpuriousInterrupt(65);
    let mut bench = Bench::playing(Event::RegisterRead(1), action);
    bench.csts();
    assert_eq!(bench.host.controller.interrupts().next(), None);
}

#[test]
fn several_faults_can_meet_in_one_event() {
    let rule = |action| Rule {
        at: Event::Completion(2),
        action,
    };
    let mut bench = Bench::new();
    let script = Script(vec![
        rule(Action::Corrupt(Corruption::CommandId(9))),
        rule(Action::Twice),
        rule(Action::SpuriousInterrupt(3)),
    ]);
    bench.host.controller.play(script).unwrap();
    assert_eq!(bench.host.controller.waiting_rules().len(), 3);
    assert_eq!(ids(&bench.three()), [100, 9, 9, 102]);
    assert_eq!(bench.host.controller.waiting_rules(), []);
    let raised: Vec<_> = bench.host.controller.interrupts().collect();
    assert_eq!(raised, [1, 3]);
}

#[test]
fn completions_beyond_the_queue_wait_for_room() {
    let mut host = Host::new();
    let mut pair = host.make_pair(1, 8, 2);
    let page = host.memory.pages(2);
    let twice = Script::one(Event::Completion(1), Action::Twice);
    host.controller.play(twice).unwrap();
    host.write(&mut pair, read(0, 1, page));
    host.write(&mut pair, read(0, 1, page));
    host.ring(&pair);
    let mut seen = Vec::new();
    for _ in 0..4 {
        host.run();
        seen.extend(ids(&host.reap(&mut pair)));
    }
    assert_eq!(seen, [100, 100, 101]);
}

#[test]
fn rules_that_do_not_fit_are_refused_and_change_nothing() {
    let mut bench = Bench::playing(Event::Completion(1), Action::Drop);
    let script = Script(vec![
        Rule {
            at: Event::Command(1),
            action: Action::Stop,
        },
        Rule {
            at: Event::RegisterRead(1),
            action: Action::Twice,
        },
    ]);
    let error = bench.host.controller.play(script).unwrap_err();
    assert_eq!(
        error.to_string(),
        "script: Twice cannot happen at RegisterRead(1); see Action::fits"
    );
    assert_eq!(ids(&bench.three()), [101, 102]);
}

#[test]
fn random_scripts_fit_and_repeat_with_their_seed() {
    for seed in 0..200 {
        let script = Script::random(seed, 20, 50, SECOND);
        assert_eq!(script.0.len(), 20);
        script.check().unwrap();
        assert_eq!(script, Script::random(seed, 20, 50, SECOND));
    }
    let [one, other] = [1, 2].map(|seed| Script::random(seed, 20, 50, SECOND));
    assert_ne!(one, other);
}

#[test]
fn a_script_without_a_match_changes_nothing() {
    let mut bench = Bench::playing(Event::Completion(1000), Action::Remove);
    let mut plain = Bench::new();
    assert_eq!(bench.three(), plain.three());
    let config = Config::default();
    assert_eq!(config.check(), Ok(()));
}
