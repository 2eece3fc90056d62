//! The command line.

use std::any::Any;
use std::ops::Deref;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Args, FromArgMatches, Parser, Subcommand, ValueEnum};
use ring3::vfio::Address;

const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    failed; one line on stderr says what, to which thing, and what to do
  2    arguments that cannot be meant
  130  interrupted; every sample taken until then is kept, and reported

Colour is used on terminals only, and not at all if NO_COLOR is set.";

/// Write a Linux driver once in safe Rust, run it in ring 3 and ring 0, and
/// compare it with C.
#[derive(Parser)]
#[command(
    name = "ringfence",
    bin_name = "ringfence",
    version,
    after_help = EXIT_CODES,
    max_term_width = 100,
    disable_help_subcommand = true,
    arg_required_else_help = true
)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Subcommand)]
pub enum Command {
    /// Compare drivers: run a plan, keep every sample, write a report
    Bench(Box<BenchArguments>),
    /// Say what a run would take and see, before anything runs
    Plan(Box<PlanArguments>),
    /// Draw a run's report again from its samples
    #[command(after_help = "\
With --counts the report also says what makes the difference in time of the first
two subjects: instructions, interrupts and context switches, or neither. The run
of `bench --count` must be of the same kernel, builds and settings.")]
    Report {
        /// The run's folder, as `bench` named it
        run: PathBuf,
        /// A run that counted instructions of the same cases
        #[arg(long, value_name = "RUN")]
        counts: Option<PathBuf>,
        /// Draw nothing of what others published of the same drivers
        #[arg(long)]
        no_published: bool,
    },
    /// Say what changed from one run to another
    #[command(after_help = "\
Compared is what both runs have: the ratio of the first two subjects, whose
change survives another machine, and each subject by itself, whose does not.")]
    Compare {
        /// The folder of the run that changes are counted from
        #[arg(value_name = "RUN")]
        before: PathBuf,
        /// The folder of the run that they lead to
        #[arg(value_name = "RUN")]
        after: PathBuf,
        /// Print everything as JSON
        #[arg(long)]
        json: bool,
        /// Draw a page with plots as well, into this folder, new or empty
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Follow cases through many runs, kernel by kernel
    #[command(after_help = "\
Runs are ordered by the release of their kernel, then by their start. Folders
that do not read are named and skipped.")]
    Trend {
        /// A folder that holds run folders, or folders of those
        #[arg(value_name = "DIR")]
        dir: PathBuf,
        /// Print everything as JSON
        #[arg(long)]
        json: bool,
        /// Draw a page with plots as well, into this folder, new or empty
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Make a run folder of what fio wrote as JSON
    Import(ImportArguments),
    /// The machine for ring 0: a Debian root, its stock kernel, a VM
    Lab(LabArguments),
    /// Use NVMe controllers from user space: what they are, their health, their data
    Nvme(NvmeArguments),
    /// Say what this host can do, and what would make its numbers better
    Doctor,
    /// Count lines and unsafe code per folder
    #[command(after_help = "\
A line counts if it holds a token; comments, blank lines and doc tests do not.
`unsafe` counts inside macros too. Test code (`#[cfg(test)]`, `#[test]` and
`#[kunit_tests]` items, folders named tests, benches and examples) is counted
apart, as `tests`. `no SAFETY` counts unsafe without a SAFETY comment or a
`# Safety` section right above it.")]
    Audit {
        /// Further folders or files of Rust source, shown beside the project's own
        #[arg(value_name = "DIR")]
        dirs: Vec<PathBuf>,
        /// The checkout of this project [default: around this program or here]
        #[arg(
            long,
            value_name = "DIR",
            env = "RINGFENCE_SOURCE",
            hide_env_values = true
        )]
        source: Option<PathBuf>,
    },
    /// Say who wraps the C API that drivers need, and what changed between kernels
    #[command(name = "api-map")]
    ApiMap(ApiMapArguments),
    /// Serve one boot: a plan on stdin, events on stdout
    #[command(hide = true)]
    Agent {
        /// 0 or 3
        #[arg(long)]
        ring: u8,
        /// Folder of the kernel modules (ring 0)
        #[arg(long)]
        modules: Option<PathBuf>,
        /// PCI function for drivers of devices (ring 0)
        #[arg(long)]
        pci: Option<String>,
        /// File that callgrind writes to, with a number at its end (ring 3)
        #[arg(long)]
        counts: Option<PathBuf>,
    },
    /// Bound a window in which the VM counts instructions
    #[command(hide = true)]
    Mark {
        /// Which end of it
        end: Mark,
    },
    /// Run the tests that belong inside the guest
    #[command(hide = true)]
    GuestTests {
        /// Folder of the kernel modules
        #[arg(long)]
        modules: PathBuf,
    },
}

/// An end of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mark {
    /// Its begin.
    Begin,
    /// Its end.
    End,
}

/// Which rings to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RingChoice {
    /// User space
    #[value(name = "3")]
    Three,
    /// The kernel: in the lab's VM, or in this one with --here
    #[value(name = "0")]
    Zero,
    /// Ring 3, then ring 0, in one run folder
    Both,
}

/// Arguments of `bench`.
#[derive(Args)]
#[command(after_help = "\
A case is named PATTERN-SIZE-qdDEPTH-jJOBS-irqMODE, as in randread-4k-qd32-j1-irq1.
--case selects from the default grid; where nothing there matches, from a larger
one: read,write,randread,randwrite x 4k,32k,256k,1m,16m x depth 1,8,32,128 x
jobs 1,2,6 x irqmode 0,1. With --count in ring 0 the default grid is randread,
randwrite x 4k x psync and io_uring at depth 1 and 32 x irqmode 0,1,2 and polling,
as in randread-4k-psync-j1-irq0 or randread-4k-qd32-j1-irq0-poll, each with one
queue and with two (-q2).

`bench nvme` in ring 3 is on a controller model that the load steps: randread,
randwrite x 4k x depth 1,8,32,128, as in randread-4k-qd8-j1. The larger grid has
512,4k,32k,128k, depth 1024, doorbells in memory (-shadow) and 2, 8, 64 queues
(-q64). There `empty` is the load and the model without a driver.

`bench nvme --ring 0` is on a controller of QEMU's, or with --here on the one that
--pci names: randread,randwrite x 4k,128k x depth 1,32 x interrupts and polling, as
in randread-4k-qd32-j1-poll. --count has 4k, and besides batches, in which as many
operations as the depth go and come at once (-batch32), and doorbells in memory
(-shadow). The larger grid has all of that with 512,4k,32k,128k,256k,1m, depth
1,8,32,128 and jobs 1,2. In ring 0 a run has one driver: null block if none is named.

Unless instructions are counted, every run has controls: each subject against
itself in every case, and in the first case a known delay in the first subject.

`bench api` compares operations of the kernel's API (ring 0) or of user space
(ring 3), such as mutex or copy-64, in place of drivers: safe Rust, C, and in
ring 0 our wrappers. A case is an operation; --count takes those that one
processor does alone.

Samples per case and subject are boots x blocks. A boot (ring 3: a process) is
the unit of replication, so more boots say more than more blocks do.

Exit codes: 0 done, 1 failed, 2 usage, 130 interrupted (samples kept).")]
pub struct BenchArguments {
    /// Drivers to compare, or `api` [default: every driver there is]
    #[arg(value_name = "DRIVER")]
    pub drivers: Vec<String>,
    /// Where to run
    #[arg(
        long,
        value_enum,
        default_value = "3",
        hide_possible_values = true,
        value_name = "3|0|both"
    )]
    pub ring: RingChoice,
    /// Ring 0 on the running kernel instead of the lab's VM: one boot, needs root
    #[arg(long)]
    pub here: bool,
    /// Folder of the kernel modules, for --here
    #[arg(
        long,
        value_name = "DIR",
        env = "RINGFENCE_MODULES",
        hide_env_values = true,
        requires = "here"
    )]
    pub modules: Option<PathBuf>,
    /// PCI function that --here gives to drivers of devices (nvme), as `lspci -D` has it:
    /// its contents are lost
    #[arg(long, value_name = "ADDR", requires = "here")]
    pub pci: Option<String>,
    /// Subjects, comma separated (ring 3: rust,c,empty; ring 0: rust,c,upstream,
    /// and only where they are named: rust-nochecks,c-oot,c-clang; nvme in ring 0: rust,c;
    /// api: rust,c,wrapper)
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub subject: Vec<String>,
    /// Cases whose name matches
    #[arg(long, value_name = "GLOB")]
    pub case: Option<String>,
    /// Samples per case and subject; sets the blocks, rounded up to whole ones
    #[arg(long, value_name = "N", value_parser = count(), conflicts_with = "blocks")]
    pub samples: Option<u32>,
    /// Boots [default: 10; with --quick 4; with --count 2; with --here 1]
    #[arg(long, value_name = "N", value_parser = count())]
    pub boots: Option<u32>,
    /// Blocks of each case in a boot [default: 4; with --quick 2; with --count 1]
    #[arg(long, value_name = "N", value_parser = count())]
    pub blocks: Option<u32>,
    /// Blocks of each case that every boot runs first and that do not count
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub warm_up: u32,
    /// Count instructions instead of time: in the lab's VM by a plugin of QEMU, in ring 3
    /// under valgrind. Other cases by default, 2 boots, 1 block
    #[arg(long, conflicts_with_all = ["here", "quick"])]
    pub count: bool,
    /// Keep the machine code of operations' loops, for the report
    #[arg(long)]
    pub asm: bool,
    /// Two cases, 4 boots, 2 blocks: a look, not a finding
    #[arg(long)]
    pub quick: bool,
    /// Leave the controls out: no subject against itself, no injected delay
    #[arg(long)]
    pub no_controls: bool,
    /// Go on until every 95% interval is at most this many percent to either side, valid
    /// though the run is looked at after each boot; then --boots is the most [default: 40]
    #[arg(long, value_name = "PCT", conflicts_with_all = ["here", "quick", "count"])]
    pub target_ci: Option<f64>,
    /// Seed of the random orders [default: from the clock]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Set something differently for one subject, e.g. rust.scheduler=mq-deadline
    #[arg(long, value_name = "SUBJECT.NAME=VALUE")]
    pub set: Vec<String>,
    /// Margin of equivalence in percent
    #[arg(long, value_name = "PCT", default_value_t = 1.0)]
    pub margin: f64,
    /// Run this plan (plan.json of another run, or your own), which fixes all of the above
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = [
            "drivers", "ring", "subject", "case", "samples", "boots", "blocks",
            "warm_up", "quick", "count", "no_controls", "target_ci", "seed", "set", "margin",
        ]
    )]
    pub plan: Option<PathBuf>,
    /// Run folder, new or empty [default: runs/TIME-RING below this folder]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// The checkout of this project, for the lab [default: around this program or here]
    #[arg(
        long,
        value_name = "DIR",
        env = "RINGFENCE_SOURCE",
        hide_env_values = true
    )]
    pub source: Option<PathBuf>,
}

/// Arguments of `plan`.
#[derive(Args)]
#[command(after_help = "\
All arguments of `bench` mean what they mean there; nothing is run.")]
pub struct PlanArguments {
    /// What `bench` would be given.
    #[command(flatten)]
    pub bench: BenchArguments,
    /// An earlier run of such cases, which says how much boots vary
    #[arg(long, value_name = "RUN")]
    pub like: Option<PathBuf>,
    /// The change that is to be found, in percent
    #[arg(long, value_name = "PCT", default_value_t = 2.0)]
    pub effect: f64,
    /// Write the plan into this file, for `bench --plan`
    #[arg(long, value_name = "FILE")]
    pub write: Option<PathBuf>,
}

/// Arguments of `nvme`.
#[derive(Args)]
#[command(
    arg_required_else_help = true,
    after_help = "\
All but `list` take the controller from its driver, use it by VFIO from this
process, and give it back to that driver at the end, also after an error or
Ctrl-C. They need root, an IOMMU (intel_iommu=on), and disks of the controller
that nobody uses."
)]
pub struct NvmeArguments {
    /// What to do.
    #[command(subcommand)]
    pub action: NvmeAction,
}

/// What is done with controllers.
#[derive(Subcommand)]
pub enum NvmeAction {
    /// Name the NVMe controllers of this machine; touches none
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Say what a controller and its namespaces are
    Identify(ControllerArguments),
    /// Say how a controller is: its SMART and health log
    Smart(ControllerArguments),
    /// Read blocks into a file or to stdout
    Read(RangeArguments),
    /// Write blocks from a file or from stdin: what was in them is lost
    Write {
        /// Which blocks.
        #[command(flatten)]
        range: RangeArguments,
        /// Really write
        #[arg(long)]
        yes: bool,
    },
    /// Drive namespace 1 as fio would; with --write what is in it is lost
    #[command(hide = true)]
    Load(LoadArguments),
}

/// A load on a controller: what fio is told.
#[derive(Args)]
pub struct LoadArguments {
    /// Its PCI address
    #[arg(long, value_name = "ADDR")]
    pub pci: Address,
    /// Write at random in place of reading
    #[arg(long)]
    pub write: bool,
    /// One operation after the other in place of random ones
    #[arg(long)]
    pub sequential: bool,
    /// Bytes an operation
    #[arg(long, value_name = "N", default_value_t = 4096)]
    pub block_size: u32,
    /// Operations in flight
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub depth: u32,
    /// Ask for completions in place of interrupts
    #[arg(long)]
    pub poll: bool,
    /// So many operations, between the marks that bound a counted window
    #[arg(long, value_name = "N", conflicts_with_all = ["runtime", "ramp"])]
    pub operations: Option<u64>,
    /// Milliseconds that are measured
    #[arg(long, value_name = "MS", default_value_t = 1000)]
    pub runtime: u64,
    /// Milliseconds before that
    #[arg(long, value_name = "MS", default_value_t = 200)]
    pub ramp: u64,
}

/// A controller.
#[derive(Args)]
pub struct ControllerArguments {
    /// Its PCI address, as `nvme list` has it
    #[arg(long, value_name = "ADDR")]
    pub pci: Address,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Blocks of a namespace, and where their data is.
#[derive(Args)]
pub struct RangeArguments {
    /// The controller.
    #[command(flatten)]
    pub controller: ControllerArguments,
    /// The namespace's number
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub namespace: u32,
    /// The first logical block
    #[arg(long, value_name = "B")]
    pub block: u64,
    /// How many of them
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: u64,
    /// Where the data is [default: stdout, stdin]
    pub file: Option<PathBuf>,
}

/// Arguments of `import`.
#[derive(Args)]
#[command(after_help = "\
Files are what `fio --output-format=json` or json+ wrote; other lines and interim
results (--status-interval) are passed over. A document is a sample, or one for each job that waited for
those before it (stonewall). The case comes from fio's options: rw, bs, iodepth,
numjobs, ioengine (io_uring, libaio, psync). IOPS are those of all jobs.

  ringfence import --as rust:0 r0.json --as c:0 c0.json --as rust:1 r1.json ...
  ringfence import --pattern '{subject}-{case}-{boot}-{block}.json' *.json

Boots are the unit of replication, so say which they are: without BOOT all files
are of boot 0, and one boot has no interval. Without BLOCK a file gets the next
one. Blocks of the same number are compared, so they should have been taken back
to back. Nothing is read back from the subjects: the report says so.")]
pub struct ImportArguments {
    /// The files and their labels.
    #[command(flatten)]
    pub files: Files,
    /// How files are named: {subject}, {boot} and {block} (digits), {case} (anything)
    #[arg(long, value_name = "PATTERN", conflicts_with = "as")]
    pub pattern: Option<String>,
    /// Subjects in the order of comparison, comma separated [default: as they come]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub subject: Vec<String>,
    /// What was driven, as cases are to name it
    #[arg(long, value_name = "NAME", default_value = "fio")]
    pub driver: String,
    /// Margin of equivalence in percent
    #[arg(long, value_name = "PCT", default_value_t = 1.0)]
    pub margin: f64,
    /// Run folder, new or empty [default: runs/TIME-ring0 below this folder]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// Files, each with the last `--as` before it.
pub struct Files(Vec<Labelled>);

/// A file and its label.
pub struct Labelled {
    /// As `--as` gave it; `None` before the first one.
    pub label: Option<String>,
    /// The file.
    pub file: PathBuf,
}

impl Deref for Files {
    type Target = [Labelled];

    fn deref(&self) -> &[Labelled] {
        &self.0
    }
}

impl Args for Files {
    fn augment_args(command: clap::Command) -> clap::Command {
        let label = Arg::new("as")
            .long("as")
            .value_name("SUBJECT[:BOOT[:BLOCK]]")
            .action(ArgAction::Append)
            .help("Whose the files after this are, up to the next --as");
        let files = Arg::new("files")
            .value_name("FILE")
            .action(ArgAction::Append)
            .num_args(1..)
            .required(true)
            .value_parser(clap::value_parser!(PathBuf))
            .help("What fio wrote");
        command.arg(label).arg(files)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Files::augment_args(command)
    }
}

impl FromArgMatches for Files {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Files, clap::Error> {
        let labels: Vec<(usize, &String)> = placed(matches, "as");
        let files: Vec<(usize, &PathBuf)> = placed(matches, "files");
        let label = |at: usize| {
            let mut before = labels.iter().rev().filter(|(label, _)| *label < at);
            before.next().map(|(_, text)| text.to_string())
        };
        let files = files.into_iter().map(|(at, file)| Labelled {
            label: label(at),
            file: file.clone(),
        });
        Ok(Files(files.collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Files::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The values of an argument and their places on the command line.
fn placed<'a, T: Any + Clone + Send + Sync>(
    matches: &'a ArgMatches,
    name: &str,
) -> Vec<(usize, &'a T)> {
    let places = matches.indices_of(name).into_iter().flatten();
    let values = matches.get_many::<T>(name).into_iter().flatten();
    places.zip(values).collect()
}

/// Arguments of `api-map`.
#[derive(Args)]
#[command(after_help = "\
Needed is what the stock modules of the drivers link to, and which static inlines
of the kernel's headers their C source calls (not counting those that it links to
by the same name). Everything is read from labs and the checkout.

States, the first that applies:
  safe    the `kernel` crate uses it, in a safe function that is public or a trait's
  inner   the `kernel` crate uses it elsewhere: privately, unsafely, in a macro
  ours    ring0/core uses it
  raw     it is in the bindings, and nobody wraps it
  absent  Rust has no name for it

Labs are the cache folder and those beside it that end in -7.2 or -7.3. A second
kernel's lab is made by
  RINGFENCE_KERNEL=7.2 RINGFENCE_CACHE=$HOME/.cache/ringfence-7.2 ringfence lab up")]
pub struct ApiMapArguments {
    /// List what this driver needs, name by name
    #[arg(long, value_name = "NAME", conflicts_with = "all")]
    pub driver: Option<String>,
    /// List everything: what all drivers need, and every change
    #[arg(long)]
    pub all: bool,
    /// Print everything as JSON
    #[arg(long, conflicts_with_all = ["driver", "all"])]
    pub json: bool,
    /// Print Markdown, as in docs/api-map.md
    #[arg(long, conflicts_with = "json")]
    pub markdown: bool,
    /// A lab's cache folder; may be given again for a further kernel
    #[arg(long, value_name = "DIR")]
    pub lab: Vec<PathBuf>,
    /// The checkout of this project [default: around this program or here]
    #[arg(
        long,
        value_name = "DIR",
        env = "RINGFENCE_SOURCE",
        hide_env_values = true
    )]
    pub source: Option<PathBuf>,
}

/// Arguments of `lab`.
#[derive(Args)]
pub struct LabArguments {
    /// What to do with it.
    #[command(subcommand)]
    pub action: LabAction,
    /// The checkout of this project [default: around this program or here]
    #[arg(
        long,
        value_name = "DIR",
        env = "RINGFENCE_SOURCE",
        hide_env_values = true,
        global = true
    )]
    pub source: Option<PathBuf>,
}

/// Actions on the lab.
#[derive(Subcommand)]
pub enum LabAction {
    /// Make everything that is missing or stale (root; minutes the first time)
    Up,
    /// Say what is there
    Status,
    /// Boot the VM with a shell, or run a command in it
    Shell {
        /// Command and its arguments; its exit status becomes ours
        #[arg(last = true, value_name = "CMD")]
        command: Vec<String>,
    },
    /// Boot the VM and run the tests of the kernel modules
    Test {
        /// Only those with this in their name
        name: Option<String>,
        /// At full length: some take tens of minutes
        #[arg(long)]
        long: bool,
    },
    /// Remove everything that `up` made
    Down,
}

fn count() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=10_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
